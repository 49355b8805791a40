"""Source packages as people upload them: signed .changes, .dsc and their files.

`changes.read_changes` takes what arrives first, the signed .changes;
`dsc.check_files` what follows, its files. `ubuntu-ci` uses both before it
sends anything, the ticket system on what it got: all of it is hostile input.
"""
