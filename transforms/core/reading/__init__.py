"""Files, folders and topics -> blocks of payloads, in bounded memory, past whatever is damaged."""
