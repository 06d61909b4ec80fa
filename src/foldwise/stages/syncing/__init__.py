"""Helpers of the sync stage: units at one moment, a store of contents, units put in place."""
