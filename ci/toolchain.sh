# shellcheck shell=bash
# What the other scripts need on this machine, found or installed. Sourced, not run.
#
# In CI (CI=true) a missing piece is installed: packages by apt where we are root, a target's standard library by rustup,
# and where rustup's host cannot be reached, Debian 12's own newer compiler, unpacked into a cache folder. Anywhere else
# nothing of the system is changed: what is missing is named with its mend, and the part ends with 77, "cannot here".

cache=${XDG_CACHE_HOME:-$HOME/.cache}/spark-bench-toolchains
debian=                      # the unpacked Debian compiler, where it is the one in use
build_std=()                 # cargo's flags, where the standard library has to be built too

cannot() {
    echo "cannot here: $*" >&2
    exit 77
}

# need COMMAND PACKAGE...: the command, installed by apt in CI.
need() {
    local wanted=$1
    shift
    command -v "$wanted" >/dev/null && return
    if [ "${CI:-}" = true ] && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        export DEBIAN_FRONTEND=noninteractive
        apt-get update -qq && apt-get install -y -qq --no-install-recommends "$@" >/dev/null
    fi
    command -v "$wanted" >/dev/null || cannot "there is no $wanted; on Debian or Ubuntu: apt-get install $*"
}

# standard_library TARGET: makes `cargo` and `clippy` able to compile for it.
standard_library() {
    local target=$1 route=${SPARK_BENCH_STD:-any}     # =debian tries the second route without cutting the network
    unset RUSTC RUSTC_BOOTSTRAP
    debian='' build_std=()
    if [ "$route" != debian ]; then
        has_std "$target" && return
        if [ "${CI:-}" = true ] && command -v rustup >/dev/null && [ -z "$(find "$cache/no-rustup" -mmin -60 2>/dev/null)" ]; then
            if timeout 180 rustup -q target add "$target" && has_std "$target"; then return; fi
            # A host that is not reached is waited for once, not once a target.
            mkdir -p "$cache" && touch "$cache/no-rustup"
        fi
    fi
    debian_compiler || cannot "there is no standard library for $target; try: rustup target add $target"
    export RUSTC=$debian/bin/rustc RUSTC_BOOTSTRAP=1
    if [ ! -d "$debian/usr/lib/rustlib/$target" ]; then build_std=("-Zbuild-std=std,panic_unwind,test"); fi
}

has_std() {
    compgen -G "$(rustc --print sysroot)/lib/rustlib/$1/lib/libstd-*" >/dev/null
}

# clippy ARGUMENTS...: cargo clippy of the compiler in use.
clippy() {
    if [ -n "$debian" ]; then "$debian/bin/cargo-clippy" clippy ${build_std[@]+"${build_std[@]}"} "$@"; else cargo clippy "$@"; fi
}

# Debian 12 carries a second compiler for its web browsers (rustc-web, with its sources and an arm64 standard library).
# apt checks every package against the archive's key. The version is not pinned: the security suite keeps the newest only;
# so that a new one gets a folder of its own.
debian_compiler() {
    command -v apt-get >/dev/null && command -v dpkg >/dev/null || return 1
    local apt=$cache/apt version minor llvm package
    mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial" && : >"$apt/status"
    local options=(-qq -oAPT::Architecture=amd64 -oAPT::Architectures::=amd64 -oAPT::Architectures::=arm64
        -oDir::State::Lists="$apt/lists" -oDir::State::status="$apt/status" -oDir::Cache="$apt/cache" -oAPT::Sandbox::User=)
    # At most once a day: the second run should not wait for the archive.
    if [ -z "$(find "$apt/updated" -mtime -1 2>/dev/null)" ]; then
        apt-get "${options[@]}" update || return 1
        touch "$apt/updated"
    fi
    version=$(apt-cache "${options[@]}" show --no-all-versions rustc-web:amd64 2>/dev/null | sed -n 's/^Version: //p')
    if [ -z "$version" ]; then
        echo "apt knows no rustc-web; Debian 12 with its security suite has it" >&2
        return 1
    fi
    debian=$cache/rustc-web-$version
    if [ ! -e "$debian/complete" ]; then
        echo "fetching Debian's rustc-web $version into the cache folder (171 MB, 1 GB unpacked)" >&2
        minor=$(echo "$version" | cut -d. -f1,2)
        llvm=$(apt-cache "${options[@]}" show --no-all-versions "libstd-rust-web-$minor:amd64" | grep -oE 'libllvm[0-9]+' | head -n 1)
        rm -rf "$debian" && mkdir -p "$debian/packages" "$debian/bin"
        (cd "$debian/packages" && apt-get "${options[@]}" download rustc-web:amd64 "libstd-rust-web-$minor:amd64" \
            libstd-rust-web-dev:amd64 libstd-rust-web-dev:arm64 rust-web-src rust-web-clippy:amd64 "$llvm:amd64") || return 1
        for package in "$debian"/packages/*.deb; do dpkg -x "$package" "$debian" || return 1; done
        rm -r "$debian/packages"
        # Its libraries stand beside it and not where the loader looks.
        for package in rustc cargo-clippy; do
            printf '#!/bin/sh\nLD_LIBRARY_PATH="%s/usr/lib/x86_64-linux-gnu" exec "%s/usr/bin/%s" "$@"\n' \
                "$debian" "$debian" "$package" >"$debian/bin/$package"
            chmod +x "$debian/bin/$package"
        done
        "$debian/bin/rustc" --version >&2 || return 1
        touch "$debian/complete"
    fi
}
