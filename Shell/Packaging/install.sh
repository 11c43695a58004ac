#!/usr/bin/env bash
# Installs what build.sh has made, or removes it again. Usage: install.sh install|uninstall DIRECTORY
# PREFIX (/usr/local) is where it will be used, DESTDIR what stands in front of that for packagers.
set -euo pipefail
action=$1
source=$2
root=${DESTDIR:-}${PREFIX:-/usr/local}

files() { # a line for each file: mode, name in the source, place below the prefix
  local program
  for program in nexa nexadb; do
    echo "755 $program bin/$program"
    echo "644 $program.1 share/man/man1/$program.1"
    echo "644 $program.bash share/bash-completion/completions/$program"
    echo "644 $program.zsh share/zsh/site-functions/_$program"
    echo "644 $program.fish share/fish/vendor_completions.d/$program.fish"
  done
}

files | while read -r mode name place; do
  if [ "$action" = install ]; then
    mkdir -p "$root/$(dirname "$place")"
    # A running program is not written to: the new file takes its name.
    cp "$source/$name" "$root/$place.new"
    chmod "$mode" "$root/$place.new"
    mv "$root/$place.new" "$root/$place"
  else
    rm -f "$root/$place"
  fi
done
case $action in
  install) echo "nexa and nexadb are installed below $root" ;;
  uninstall) echo "nexa and nexadb are gone from $root; data directories and histories are not touched" ;;
esac
