using System.Diagnostics.Metrics;
using Platform.DataPlane.Tiering;

namespace Platform.DataPlane.Nvme;

/// <summary>Metrics of one tier, under the meter <see cref="NvmeTier.MeterName"/>; every figure carries the tier's folder, those by class the class.</summary>
internal sealed class TierMeter : IDisposable
{
    // An enum's name is a new string or a boxed value each time it is asked for; reads are counted by class.
    private static readonly string[] Names = Enum.GetNames<TierClass>();

    private readonly Meter _meter = new(NvmeTier.MeterName);
    private readonly KeyValuePair<string, object?> _folder;
    private readonly Counter<long> _opens;
    private readonly Counter<long> _evictions;
    private readonly Counter<long> _evictedBytes;
    private readonly Counter<long> _fetches;
    private readonly Counter<long> _fetchedBytes;
    private readonly Counter<long> _damaged;
    private readonly Counter<long> _waits;
    private readonly Counter<long> _landed;
    private readonly Counter<long> _read;
    private readonly Counter<long> _copied;

    public TierMeter(string folder)
    {
        _folder = new("tier", folder);
        _opens = _meter.CreateCounter<long>("tier.opens", "{lease}", "Leases of blobs; hit: the blob was whole in the tier");
        _evictions = _meter.CreateCounter<long>("tier.evictions", "{blob}", "Blobs dropped; reason: room, limit, changed, rewritten or request");
        _evictedBytes = _meter.CreateCounter<long>("tier.evicted", "By", "Bytes of blobs dropped");
        _fetches = _meter.CreateCounter<long>("tier.fetches", "{get}", "Chunks read from object storage");
        _fetchedBytes = _meter.CreateCounter<long>("tier.fetched", "By", "Bytes read from object storage");
        _damaged = _meter.CreateCounter<long>("tier.checksum_failures", "{chunk}", "Chunks whose checksum did not match");
        _waits = _meter.CreateCounter<long>("tier.writer_waits", "{wait}", "Writers that waited for uploads to make room");
        _landed = _meter.CreateCounter<long>("tier.landed", "{chunk}", "Chunks that came from object storage to the device; tier.fetches over this is GETs per chunk");
        _read = _meter.CreateCounter<long>("tier.read", "By", "Bytes given to readers; source: nvme, or object_storage if the reader got them on their way to the device");
        _copied = _meter.CreateCounter<long>("tier.copied", "By", "Bytes copied in memory for readers; over tier.read it is copies per byte");
    }

    /// <summary>Shows figures that the tier keeps itself.</summary>
    public void Observe(NvmeTier tier)
    {
        _meter.CreateObservableGauge("tier.used", () => new Measurement<long>(tier.UsedBytes, _folder), "By", "Bytes that blobs take");
        _meter.CreateObservableGauge("tier.limit", () => new Measurement<long>(tier.LimitBytes, _folder), "By", "Bytes that blobs may take");
        _meter.CreateObservableGauge("tier.only_copy", () => new Measurement<long>(tier.OnlyCopyBytes, _folder), "By", "Bytes that are nowhere else");
        _meter.CreateObservableCounter("tier.device_read", () => OfDevices(tier, device => device.BytesRead), "By", "Bytes read from the device; for: blobs, catalog or blocks");
        _meter.CreateObservableCounter("tier.device_written", () => OfDevices(tier, device => device.BytesWritten), "By", "Bytes written to the device");
        _meter.CreateObservableCounter("tier.device_reads", () => OfDevices(tier, device => device.Reads), "{read}", "Reads that the device was asked for");
        _meter.CreateObservableGauge("tier.queue_depth", () => OfDevices(tier, device => device.QueueDepth), "{request}", "Reads and writes under way");
        _meter.CreateObservableGauge("tier.used_by_class", () => Enum.GetValues<TierClass>().Select(tierClass => new Measurement<long>(tier.UsedBytesOf(tierClass), _folder, Of(tierClass))), "By", "Bytes that blobs of a class take");
        _meter.CreateObservableGauge("tier.set_aside", () => new Measurement<long>(tier.SetAsideBytes, _folder), "By", "Bytes of tier.used that a damaged catalog left behind");
        _meter.CreateObservableGauge("tier.catalog", () => new Measurement<long>(tier.CatalogBytes, _folder), "By", "Bytes of the catalog in memory");
        _meter.CreateObservableCounter("tier.managed_allocated", () => new Measurement<long>(GC.GetTotalAllocatedBytes(), _folder), "By", "Bytes that the whole process allocated on the managed heap; over tier.read it is managed bytes per byte moved");
        _meter.CreateObservableGauge("tier.direct", () => OfDevices(tier, device => device.IsDirect ? 1 : 0), description: "0 if the file system refused direct I/O");
    }

    public void Opened(TierClass tierClass, bool hit) => _opens.Add(1, _folder, Of(tierClass), new("hit", hit));

    public void Evicted(TierClass tierClass, long bytes, string reason)
    {
        _evictions.Add(1, _folder, Of(tierClass), new("reason", reason));
        _evictedBytes.Add(bytes, _folder, Of(tierClass), new("reason", reason));
    }

    public void Fetched(TierClass tierClass, long bytes)
    {
        _fetches.Add(1, _folder, Of(tierClass));
        _fetchedBytes.Add(bytes, _folder, Of(tierClass));
    }

    public void Landed(TierClass tierClass) => _landed.Add(1, _folder, Of(tierClass));

    /// <summary>Counts bytes that a reader got.</summary>
    public void Read(TierClass tierClass, long bytes, bool fromDevice) => _read.Add(bytes, _folder, Of(tierClass), new("source", fromDevice ? "nvme" : "object_storage"));

    public void Copied(TierClass tierClass, long bytes) => _copied.Add(bytes, _folder, Of(tierClass));

    public void Damaged(TierClass tierClass) => _damaged.Add(1, _folder, Of(tierClass));

    public void WriterWaits() => _waits.Add(1, _folder);

    public void Dispose() => _meter.Dispose();

    /// <summary>A figure of each device that the tier has.</summary>
    private IEnumerable<Measurement<long>> OfDevices(NvmeTier tier, Func<DeviceFigures, long> figure)
    {
        foreach (var (use, device) in new[] { ("blobs", tier.Device), ("catalog", tier.CatalogDevice), ("blocks", tier.Blocks?.Device) })
        {
            if (device is not null)
            {
                yield return new Measurement<long>(figure(device), _folder, new("for", use));
            }
        }
    }

    private static KeyValuePair<string, object?> Of(TierClass tierClass) => new("class", Names[(int)tierClass]);
}
