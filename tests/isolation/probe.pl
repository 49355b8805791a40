# Tries to get out of where it runs; one line for each attempt, OUT if it worked.
# `our %at` (above) says what there is on the host, `our @attempts` what to try.
use strict;
use warnings;
use Socket;
no warnings 'once';
our (%at, @attempts);

my ($PTRACE, $SYSLOG, $MOUNT, $UNSHARE, $INIT_MODULE, $OPEN_BY_HANDLE, $CHROOT) = (101, 103, 165, 272, 175, 304, 161);

sub connects {
    my ($domain, $type, $address) = @_;
    socket(my $socket, $domain, $type, 0) or return "";
    return connect($socket, $address) ? "connected" : "";
}

sub content {
    my ($path) = @_;
    open(my $file, '<', $path) or return "";
    local $/;
    my $text = <$file> // "";
    return index($text, $at{secret_text}) >= 0 ? "read $path" : "";
}

sub writes {
    my ($path) = @_;
    open(my $file, '>>', $path) or return "";
    print $file "x" or return "";
    return close($file) ? "wrote $path" : "";
}

sub same_file {
    my ($path) = @_;
    my ($device, $inode) = stat($path) or return "";
    return "$device:$inode" eq $at{shadow} ? "it is the host's" : "";
}

my %try = (
    engine_port => sub { connects(PF_INET, SOCK_STREAM, pack_sockaddr_in($at{port}, "\x7f\0\0\1")) },
    network => sub { connects(PF_INET, SOCK_DGRAM, pack_sockaddr_in(53, "\xc0\0\2\1")) },
    abstract_socket => sub { connects(PF_UNIX, SOCK_STREAM, pack("S a*", AF_UNIX, "\0$at{abstract}")) },
    socket_file => sub { connects(PF_UNIX, SOCK_STREAM, pack_sockaddr_un($at{socket})) },
    key_of_the_engine => sub { content("$at{data}/secret-key") },
    file_of_another_ticket => sub { content("$at{data}/data-store/ticket.7/sources/hello.dsc") },
    shadow_of_the_host => sub { same_file("/etc/shadow") },
    write_outside => sub { writes("$at{data}/written") },
    processes_of_the_host => sub {
        for my $path (glob("/proc/[0-9]*/cmdline")) {
            open(my $file, '<', $path) or next;
            my $line = <$file> // "";
            return "saw it" if index($line, $at{process}) >= 0;
        }
        return "";
    },
    links_of_proc => sub {
        for my $place (glob("/proc/[0-9]*/root /proc/[0-9]*/cwd /proc/[0-9]*/fd/*")) {
            my $up = $place;
            for (0 .. 12) {
                my $found = content("$up$at{data}/secret-key");
                return $found if $found;
                $up .= "/..";
            }
        }
        return "";
    },
    files_by_handle => sub {
        for my $mount (split(/ /, $at{mounts})) {
            for my $inode (2, 64, 128) {
                sysopen(my $root, $mount, 0) or next;
                my $handle = pack("L l L L", 8, 1, $inode, 0);
                my $opened = syscall($OPEN_BY_HANDLE, fileno($root), $handle, 0);
                next if $opened < 0;
                my $found = content("/proc/self/fd/$opened$at{data}/secret-key");
                return $found if $found;
            }
        }
        return "";
    },
    out_of_chroot => sub {
        mkdir("/tmp/jail");
        my $pid = fork();
        if (!$pid) {
            chroot("/tmp/jail") or exit 1;
            chdir("../../../../../../..");
            chroot(".");
            exit(content("$at{data}/secret-key") ? 0 : 1);
        }
        waitpid($pid, 0);
        return $? == 0 ? "left it" : "";
    },
    disk_of_the_host => sub {
        my ($major, $minor) = split(/:/, $at{disk});
        my $device = "/tmp/disk";
        system("mknod $device b $major $minor 2>/dev/null") == 0 or return "";
        return sysopen(my $disk, $device, 0) ? "opened it" : "";
    },
    kernel_settings => sub {
        for my $path ("/proc/sys/kernel/core_pattern", "/proc/sysrq-trigger", "/proc/sys/kernel/modprobe") {
            return "may write $path" if sysopen(my $file, $path, 1);
        }
        return "";
    },
    kernel_messages => sub {
        my $text = "\0" x 65536;
        my $read = syscall($SYSLOG, 3, $text, length($text));
        return "read $read bytes" if $read > 0;
        for my $path ("/dev/kmsg", "/proc/kmsg") {
            return "may read $path" if sysopen(my $file, $path, 2048);
        }
        return "";
    },
    kernel_module => sub {
        my ($image, $options) = ("\x7fELF" . ("\0" x 60), "");
        syscall($INIT_MODULE, $image, 64, $options) == 0 and return "loaded";
        return $!{EPERM} || $!{ENOSYS} ? "" : "got as far as $!";
    },
    user_namespace => sub { syscall($UNSHARE, 0x10000000) == 0 ? "made one" : "" },
    mount => sub {
        my ($kind, $place) = ("tmpfs", "/tmp");
        return syscall($MOUNT, $kind, $place, $kind, 0, 0) == 0 ? "mounted" : "";
    },
    trace => sub { syscall($PTRACE, 16, 1, 0, 0) == 0 ? "traces process 1" : "" },
    become_root => sub { $> = 0; $< = 0; return $> == 0 ? "is root" : "" },
    capabilities => sub {
        open(my $file, '<', "/proc/self/status") or return "";
        my @held = grep { /^Cap\w+:\s*0*[1-9a-f]/ } <$file>;
        return @held ? "has some" : "";
    },
    set_user_id_programs => sub {
        for my $program ("/bin/su", "/bin/mount", "/usr/bin/newgrp", "/usr/bin/passwd") {
            next unless -u $program;
            open(my $file, '<', "/proc/self/status") or return "";
            return grep({ /^NoNewPrivs:\s*1/ } <$file>) ? "" : "may run $program";
        }
        return "";
    },
    source_in_the_archive => sub {
        for my $path (glob("/run/source/*"), glob("/run/uci-engine/debs/*")) {
            my $found = writes($path);
            return $found if $found;
            return "may change $path" if chmod(0777, $path) || unlink($path);
        }
        return "";
    },
);

print "\n";
for my $name (@attempts) {
    my $found = eval { $try{$name}->() };
    $found = "$@" unless defined $found;
    print "PROBE $name: ", ($found ? "OUT $found" : "refused"), "\n";
}
