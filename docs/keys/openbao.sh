#!/bin/sh
# Wraps and unwraps the data key of a key file by a key in OpenBao's or Vault's transit engine:
# --wrapping_key command:docs/keys/openbao.sh
#
# BAO_ADDR and BAO_TOKEN say where and who; TRANSIT_KEY names the key (default: suggestion-telemetry). For Vault, replace
# bao by vault. Who runs jobs needs update on transit/decrypt/KEY alone; who wraps key files on transit/encrypt/KEY.
set -eu
key=${TRANSIT_KEY:-suggestion-telemetry}
given=$(cat)
if [ "$1" = wrap ]; then
  printf %s "$given" | bao write -field=ciphertext "transit/encrypt/$key" plaintext=-
else
  printf %s "$given" | bao write -field=plaintext "transit/decrypt/$key" ciphertext=-
fi
