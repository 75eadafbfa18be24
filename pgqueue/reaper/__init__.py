"""The reaper: ends what nobody ends, removes what is kept no longer, does what is due. No redelivery depends on it."""
