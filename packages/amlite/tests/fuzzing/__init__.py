"""Random, mostly invalid requests to every route of amlite: no answer may be a 500, and none may fail to come."""
