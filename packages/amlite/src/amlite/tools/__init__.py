"""The programs that amlite needs besides its Python packages: found on this machine, or installed into its cache.

Each file defines one `TOOL`. `await TOOL.ensure()` returns where the tool is, and installs it first if necessary.
Concurrent calls, in one process or in several, install it once. `amlite tools` installs all of them.
"""
