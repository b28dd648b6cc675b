using System.Diagnostics.Metrics;
using Platform.DataPlane.Tiering;

namespace Platform.DataPlane.Nvme;

/// <summary>Metrics of one tier, under the meter <c>Platform.DataPlane.Tier</c>; every figure carries the tier's folder, those by class the class.</summary>
internal sealed class TierMeter : IDisposable
{
    private readonly Meter _meter = new("Platform.DataPlane.Tier");
    private readonly KeyValuePair<string, object?> _folder;
    private readonly Counter<long> _opens;
    private readonly Counter<long> _evictions;
    private readonly Counter<long> _evictedBytes;
    private readonly Counter<long> _fetches;
    private readonly Counter<long> _fetchedBytes;
    private readonly Counter<long> _damaged;
    private readonly Counter<long> _waits;

    public TierMeter(string folder)
    {
        _folder = new("tier", folder);
        _opens = _meter.CreateCounter<long>("tier.opens", "{lease}", "Leases of blobs; hit: the blob was whole in the tier");
        _evictions = _meter.CreateCounter<long>("tier.evictions", "{blob}", "Blobs dropped");
        _evictedBytes = _meter.CreateCounter<long>("tier.evicted", "By", "Bytes of blobs dropped");
        _fetches = _meter.CreateCounter<long>("tier.fetches", "{get}", "Chunks read from object storage");
        _fetchedBytes = _meter.CreateCounter<long>("tier.fetched", "By", "Bytes read from object storage");
        _damaged = _meter.CreateCounter<long>("tier.checksum_failures", "{chunk}", "Chunks whose checksum did not match");
        _waits = _meter.CreateCounter<long>("tier.writer_waits", "{wait}", "Writers that waited for uploads to make room");
    }

    /// <summary>Shows figures that the tier keeps itself.</summary>
    public void Observe(NvmeTier tier)
    {
        _meter.CreateObservableGauge("tier.used", () => new Measurement<long>(tier.UsedBytes, _folder), "By", "Bytes that blobs take");
        _meter.CreateObservableGauge("tier.limit", () => new Measurement<long>(tier.LimitBytes, _folder), "By", "Bytes that blobs may take");
        _meter.CreateObservableGauge("tier.only_copy", () => new Measurement<long>(tier.OnlyCopyBytes, _folder), "By", "Bytes that are nowhere else");
        _meter.CreateObservableCounter("tier.device_read", () => new Measurement<long>(tier.DeviceBytesRead, _folder), "By", "Bytes read from the device");
        _meter.CreateObservableCounter("tier.device_written", () => new Measurement<long>(tier.DeviceBytesWritten, _folder), "By", "Bytes written to the device");
        _meter.CreateObservableGauge("tier.direct", () => new Measurement<int>(tier.IsDirect ? 1 : 0, _folder), description: "0 if the file system refused direct I/O");
    }

    public void Opened(TierClass tierClass, bool hit) => _opens.Add(1, _folder, Of(tierClass), new("hit", hit));

    public void Evicted(TierClass tierClass, long bytes)
    {
        _evictions.Add(1, _folder, Of(tierClass));
        _evictedBytes.Add(bytes, _folder, Of(tierClass));
    }

    public void Fetched(TierClass tierClass, long bytes)
    {
        _fetches.Add(1, _folder, Of(tierClass));
        _fetchedBytes.Add(bytes, _folder, Of(tierClass));
    }

    public void Damaged(TierClass tierClass) => _damaged.Add(1, _folder, Of(tierClass));

    public void WriterWaits() => _waits.Add(1, _folder);

    public void Dispose() => _meter.Dispose();

    private static KeyValuePair<string, object?> Of(TierClass tierClass) => new("class", tierClass.ToString());
}
