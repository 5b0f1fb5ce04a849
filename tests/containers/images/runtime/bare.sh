#!/usr/bin/env bash
# bare.sh FOLDER: the libraries of a bare runtime, copied out of this Debian.
set -euo pipefail
root="$1"
mkdir -p "$root"/{usr/bin,usr/sbin,usr/lib,usr/lib64,usr/local/bin,etc/ssl/certs,home,tmp,proc,sys,dev,var/log}
for folder in bin sbin lib lib64; do ln -s "usr/$folder" "$root/$folder"; done
for package in base-files libc6 libssl3 libgcc-s1 libstdc++6 tzdata; do
    dpkg -L "$package" | while IFS= read -r path; do
        if [ -d "$path" ] && [ ! -L "$path" ]; then continue; fi
        # Programs of the packages stay out, as documents that the base has not got do.
        case "$path" in /usr/bin/* | /usr/sbin/* | /sbin/* | /bin/*) continue ;; esac
        [ ! -e "$path" ] || cp -a --parents "$path" "$root"
    done
done
cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
printf 'root:x:0:0:root:/root:/sbin/nologin\nnobody:x:65534:65534:nobody:/nonexistent:/sbin/nologin\nnonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin\n' >"$root/etc/passwd"
printf 'root:x:0:\nnobody:x:65534:\nnonroot:x:65532:\n' >"$root/etc/group"
chmod 1777 "$root/tmp"
install -d -o 65532 -g 65532 -m 700 "$root/home/nonroot"
