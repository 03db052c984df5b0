"""The Pulumi provider protocols that amlite serves in place of the vendor plugins, which are on no package registry."""
