"""The technical report and the raw data as CSV, from the runs of a package.

It goes into every package (`make package`) as it is here, and needs nothing but Python's own library.
"""
