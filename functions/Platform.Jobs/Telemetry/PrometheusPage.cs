using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using System.Globalization;
using System.Text;

namespace Platform.Jobs.Telemetry;

/// <summary>The metrics of some meters as a page in Prometheus' text format (version 0.0.4). Counters and gauges; histograms appear as <c>_sum</c> and <c>_count</c>. Thread-safe.</summary>
/// <remarks>Names become <c>meter_instrument_unit</c> with underscores, counters end in <c>_total</c>; tags become labels.</remarks>
public sealed class PrometheusPage : IDisposable
{
    /// <summary>Content type of the page.</summary>
    public const string ContentType = "text/plain; version=0.0.4; charset=utf-8";
    private readonly MeterListener _listener = new();
    private readonly ConcurrentDictionary<(Instrument Instrument, string Labels), Series> _series = new();
    private readonly Lock _observing = new();

    /// <summary>Collects from the meters of these names, from now on.</summary>
    public PrometheusPage(params string[] meters)
    {
        _listener.InstrumentPublished = (instrument, listener) =>
        {
            if (meters.Contains(instrument.Meter.Name))
            {
                listener.EnableMeasurementEvents(instrument);
            }
        };
        _listener.SetMeasurementEventCallback<long>((instrument, value, tags, _) => Take(instrument, value, tags));
        _listener.SetMeasurementEventCallback<int>((instrument, value, tags, _) => Take(instrument, value, tags));
        _listener.SetMeasurementEventCallback<double>((instrument, value, tags, _) => Take(instrument, value, tags));
        _listener.Start();
    }

    /// <summary>The page as it stands now; observable instruments are asked.</summary>
    public string Write()
    {
        lock (_observing)
        {
            _listener.RecordObservableInstruments();
        }

        var page = new StringBuilder();
        foreach (var family in _series.GroupBy(series => series.Key.Instrument).OrderBy(family => NameOf(family.Key), StringComparer.Ordinal))
        {
            var name = NameOf(family.Key);
            var isHistogram = IsHistogram(family.Key);
            page.Append("# HELP ").Append(name).Append(' ').Append((family.Key.Description ?? "").Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\n", "\\n", StringComparison.Ordinal)).Append('\n');
            page.Append("# TYPE ").Append(name).Append(isHistogram ? " summary\n" : IsCounter(family.Key) ? " counter\n" : " gauge\n");
            foreach (var ((_, labels), series) in family.OrderBy(series => series.Key.Labels, StringComparer.Ordinal))
            {
                var (sum, count) = series.Read();
                page.Append(name).Append(isHistogram ? "_sum" : "").Append(labels).Append(' ').Append(sum.ToString("R", CultureInfo.InvariantCulture)).Append('\n');
                if (isHistogram)
                {
                    page.Append(name).Append("_count").Append(labels).Append(' ').Append(count.ToString(CultureInfo.InvariantCulture)).Append('\n');
                }
            }
        }

        return page.ToString();
    }

    /// <summary>Stops collecting.</summary>
    public void Dispose() => _listener.Dispose();

    private void Take(Instrument instrument, double value, ReadOnlySpan<KeyValuePair<string, object?>> tags)
    {
        var series = _series.GetOrAdd((instrument, LabelsOf(tags)), static _ => new Series());
        if (instrument.IsObservable || instrument is Gauge<long> or Gauge<double> or Gauge<int>)
        {
            series.Set(value);
        }
        else
        {
            series.Add(value);
        }
    }

    private static bool IsHistogram(Instrument instrument) => instrument is Histogram<long> or Histogram<double> or Histogram<int>;

    private static bool IsCounter(Instrument instrument) => instrument is Counter<long> or Counter<double> or Counter<int> or ObservableCounter<long> or ObservableCounter<double> or ObservableCounter<int>;

    private static string NameOf(Instrument instrument)
    {
        var name = $"{instrument.Meter.Name}.{instrument.Name}" + instrument.Unit switch
        {
            "By" => "_bytes",
            "s" => "_seconds",
            _ => "",
        };
        var clean = string.Concat(name.Select(character => char.IsAsciiLetterOrDigit(character) ? char.ToLowerInvariant(character) : '_'));
        return IsCounter(instrument) ? clean + "_total" : clean;
    }

    private static string LabelsOf(ReadOnlySpan<KeyValuePair<string, object?>> tags)
    {
        if (tags.Length == 0)
        {
            return "";
        }

        var labels = new StringBuilder("{");
        foreach (var (name, value) in tags)
        {
            var text = (Convert.ToString(value, CultureInfo.InvariantCulture) ?? "").Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal).Replace("\n", "\\n", StringComparison.Ordinal);
            labels.Append(labels.Length == 1 ? "" : ",").Append(name).Append("=\"").Append(text).Append('"');
        }

        return labels.Append('}').ToString();
    }

    private sealed class Series
    {
        private readonly Lock _lock = new();
        private double _sum;
        private long _count;

        public void Add(double value)
        {
            lock (_lock)
            {
                _sum += value;
                _count++;
            }
        }

        public void Set(double value)
        {
            lock (_lock)
            {
                _sum = value;
            }
        }

        public (double Sum, long Count) Read()
        {
            lock (_lock)
            {
                return (_sum, _count);
            }
        }
    }
}
