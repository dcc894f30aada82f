"""From Neo blocks to numbers and pictures; one family of measures a module."""
