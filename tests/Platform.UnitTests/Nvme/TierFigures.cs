using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using System.Globalization;
using Platform.DataPlane.Nvme;

namespace Platform.UnitTests.Nvme;

/// <summary>Collects what the tier of one folder tells its meter, as an operator's collector would.</summary>
internal sealed class TierFigures : IDisposable
{
    private readonly MeterListener _listener = new();
    private readonly ConcurrentDictionary<string, long> _figures = new();

    public TierFigures(string folder)
    {
        _listener.InstrumentPublished = (instrument, listener) =>
        {
            if (instrument.Meter.Name == NvmeTier.MeterName)
            {
                listener.EnableMeasurementEvents(instrument);
            }
        };
        _listener.SetMeasurementEventCallback<long>((instrument, value, tags, _) => Take(folder, instrument, value, tags));
        _listener.SetMeasurementEventCallback<int>((instrument, value, tags, _) => Take(folder, instrument, value, tags));
        _listener.Start();
    }

    /// <summary>A figure; 0 if it was never told.</summary>
    /// <param name="name">The instrument's name, then its labels as <c>name value</c>, without the tier's folder.</param>
    public long this[string name]
    {
        get
        {
            _listener.RecordObservableInstruments();
            return _figures.GetValueOrDefault(name);
        }
    }

    /// <summary>Every figure that was told.</summary>
    public ICollection<string> Names
    {
        get
        {
            _listener.RecordObservableInstruments();
            return _figures.Keys;
        }
    }

    public void Dispose() => _listener.Dispose();

    private void Take(string folder, Instrument instrument, long value, ReadOnlySpan<KeyValuePair<string, object?>> tags)
    {
        var name = instrument.Name;
        var isOurs = false;
        foreach (var (key, tag) in tags)
        {
            isOurs |= key == "tier" && (string?)tag == folder;
            name += key == "tier" ? "" : string.Create(CultureInfo.InvariantCulture, $" {key} {tag}");
        }

        if (isOurs)
        {
            _figures.AddOrUpdate(name, value, (_, sum) => instrument.IsObservable ? value : sum + value);
        }
    }
}
