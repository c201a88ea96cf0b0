//! One suite of promises, kept by every database that the catalog runs on.
