using System.Diagnostics;
using System.Globalization;
using Platform.DataPlane.ObjectStorage;
using Platform.Local;

namespace Platform.UnitTests.ObjectStorage;

/// <summary>A throw-away Ceph with an S3 gateway: one monitor, one object store in memory, one gateway, all children of this test. Needs Debian's radosgw, ceph-mon and ceph-osd.</summary>
public sealed class CephFixture : IAsyncLifetime
{
    private const string AccessKey = "testkey";
    private const string SecretKey = "testsecret";

    private readonly TempFolder _folder = new();
    private int _port;

    /// <summary>Why there is none; null if it runs.</summary>
    public string? Missing { get; private set; }

    public S3ObjectStorage Open(string prefix) => new(Options() with { Prefix = prefix, ListPageKeys = 7, PartBytes = 5 << 20 });

    public S3ObjectStorageOptions Options() => new()
    {
        Bucket = "platform",
        Endpoint = new Uri($"http://127.0.0.1:{_port}"),
        AccessKey = AccessKey,
        SecretKey = SecretKey,
    };

    public async ValueTask InitializeAsync()
    {
        var programs = new[] { "ceph-mon", "ceph-osd", "radosgw", "radosgw-admin", "ceph-authtool", "monmaptool", "ceph" };
        var path = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':');
        if (programs.FirstOrDefault(program => !path.Any(folder => File.Exists(Path.Combine(folder, program)))) is { } absent)
        {
            Missing = $"'{absent}' is not installed: apt-get install radosgw ceph-mon ceph-osd";
            return;
        }

        _port = LoopbackPort.AnyFree();
        await File.WriteAllTextAsync(_folder["start.sh"], Script());
        var start = new ProcessStartInfo("bash", [_folder["start.sh"], _folder.Path, $"{_port}", $"{LoopbackPort.AnyFree()}"]) { UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardError = true };
        using var process = Process.Start(start)!;
        var output = process.StandardOutput.ReadToEndAsync();
        var errors = process.StandardError.ReadToEndAsync();
        await process.WaitForExitAsync();
        if (process.ExitCode != 0)
        {
            throw new InvalidOperationException($"Ceph does not start ({process.ExitCode}): {await output} {await errors}");
        }

        using var client = new Amazon.S3.AmazonS3Client(
            AccessKey,
            SecretKey,
            new Amazon.S3.AmazonS3Config { ServiceURL = $"http://127.0.0.1:{_port}", ForcePathStyle = true, AuthenticationRegion = "us-east-1" });
        await client.PutBucketAsync("platform");
    }

    public async ValueTask DisposeAsync()
    {
        if (File.Exists(_folder["pids"]))
        {
            foreach (var line in await File.ReadAllLinesAsync(_folder["pids"]))
            {
                try
                {
                    using var process = Process.GetProcessById(int.Parse(line, CultureInfo.InvariantCulture));
                    process.Kill();
                    await process.WaitForExitAsync();
                }
                catch (ArgumentException)
                {
                    // It has ended already.
                }
            }
        }

        _folder.Dispose();
    }

    private static string Script() => """
        set -eu
        B=$1; PORT=$2; MON=$3; C=$B/ceph.conf
        mkdir -p "$B/mon" "$B/osd" "$B/run"; : > "$B/pids"
        FSID=$(cat /proc/sys/kernel/random/uuid)
        cat > "$C" <<X
        [global]
        fsid = $FSID
        mon_initial_members = a
        mon_host = [v2:127.0.0.1:$MON]
        public_network = 127.0.0.0/8
        keyring = $B/keyring
        mon_data = $B/mon
        osd_data = $B/osd
        run_dir = $B/run
        admin_socket = $B/run/\$name.asok
        log_file = $B/\$name.log
        osd_objectstore = memstore
        memstore_device_bytes = 1073741824
        osd_pool_default_size = 1
        osd_pool_default_min_size = 1
        osd_pool_default_pg_num = 1
        osd_pool_default_pgp_num = 1
        osd_pool_default_pg_autoscale_mode = off
        osd_crush_chooseleaf_type = 0
        mon_allow_pool_size_one = true
        paxos_propose_interval = 0.05
        paxos_min_wait = 0.02
        [client.rgw]
        rgw_frontends = beast endpoint=127.0.0.1:$PORT
        X
        ceph-authtool -C "$B/keyring" --gen-key -n client.admin --cap mon 'allow *' --cap osd 'allow *' > /dev/null
        for e in client.rgw osd.0; do ceph-authtool "$B/keyring" --gen-key -n $e --cap mon 'allow *' --cap osd 'allow *' > /dev/null; done
        ceph-authtool -C "$B/mon.keyring" --gen-key -n mon. --cap mon 'allow *' > /dev/null
        ceph-authtool "$B/mon.keyring" --import-keyring "$B/keyring" > /dev/null
        monmaptool --create --fsid $FSID --addv a "[v2:127.0.0.1:$MON]" "$B/monmap" > /dev/null
        ceph-mon --mkfs -i a --monmap "$B/monmap" --keyring "$B/mon.keyring" -c "$C" > /dev/null 2>&1
        ceph-mon -i a -c "$C" -f > "$B/mon.out" 2>&1 & echo $! >> "$B/pids"
        ceph-osd -i 0 --mkfs --osd-uuid "$(cat /proc/sys/kernel/random/uuid)" -c "$C" > "$B/mkfs.out" 2>&1
        ceph -c "$C" osd new "$(cat "$B/osd/fsid")" 0 > /dev/null
        ceph-osd -i 0 -c "$C" -f > "$B/osd.out" 2>&1 & echo $! >> "$B/pids"
        radosgw -n client.rgw -c "$C" -f > "$B/rgw.out" 2>&1 & echo $! >> "$B/pids"
        radosgw-admin -c "$C" user create --uid=test --display-name=test --access-key=testkey --secret-key=testsecret > /dev/null 2>&1
        for _ in $(seq 600); do (exec 3<>/dev/tcp/127.0.0.1/$PORT) 2> /dev/null && exit 0; sleep 0.1; done
        echo "the gateway does not listen" >&2; exit 1
        """;
}
