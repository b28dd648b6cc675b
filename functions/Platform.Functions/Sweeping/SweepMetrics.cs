using System.Diagnostics.Metrics;

namespace Platform.Functions.Sweeping;

/// <summary>Counts what sweeps did.</summary>
internal sealed class SweepMetrics : IDisposable
{
    /// <summary>Name of the meter, and prefix of the names on the page.</summary>
    public const string MeterName = "Platform.Functions";

    private readonly Meter _meter = new(MeterName);
    private readonly Counter<long> _runs;
    private readonly Counter<long> _items;
    private readonly Counter<long> _bytes;

    public SweepMetrics()
    {
        _runs = _meter.CreateCounter<long>("sweeps", null, "Sweeps that ran to their end.");
        _items = _meter.CreateCounter<long>("sweep.items", null, "What sweeps did, by kind: jobs nudged, idle replicas released, orphans dropped, objects deleted, calls failed.");
        _bytes = _meter.CreateCounter<long>("sweep.deleted", "By", "Bytes of deleted objects.");
    }

    public void Add(Swept swept)
    {
        _runs.Add(1);
        Add("nudged", swept.Nudged);
        Add("released", swept.Released);
        Add("dropped", swept.Dropped);
        Add("deleted", swept.ObjectsDeleted);
        Add("failed", swept.Failures);
        _bytes.Add(swept.BytesDeleted);
    }

    public void Dispose() => _meter.Dispose();

    private void Add(string kind, int count) => _items.Add(count, new KeyValuePair<string, object?>("kind", kind));
}
