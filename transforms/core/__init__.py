"""The thought of the steps, without Beam: a room for each part of an event's way.

On the ground: what every room may use. Above it, in this order, and no room
imports one that comes after it:

    storage      files, local and in object stores; which files an input is
    keys         the key ring, pseudonyms, sealing
    quarantine   what cannot be processed goes aside
    reading      files, folders and topics -> blocks of payloads
    decoding     payloads -> events -> columns
    protecting   consent, places, words, scrubbing, pseudonyms
    shuffle      portions and windows, and the sealed pieces that cross over
    output       names of files, books, ledger, claim
    suggestions  facts of suggestions -> their lives
    recent       what a bucket remembers of what it published
    curating     duplicates, order, joining, publishing

Reading, decoding and protecting run before the shuffle and know nothing of the
rooms after it, nor these of them.
"""
