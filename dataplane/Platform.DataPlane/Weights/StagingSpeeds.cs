namespace Platform.DataPlane.Weights;

/// <summary>What recent loads took from each place: a part that every load pays whatever its size, and seconds per byte.</summary>
/// <remarks>
/// Thread-safe. A load is credited to the place that most of its bytes came from, since the stages overlap and the slower one sets the pace. Of the last few loads the median counts, not a mean:
/// the first load of a process, or one beside a busy neighbour, takes several times as long and says nothing about the next.
/// </remarks>
internal sealed class StagingSpeeds
{
    private readonly Lock _gate = new();
    private readonly Place _objectStore = new();
    private readonly Place _nvme = new();
    private readonly Place _host = new();

    /// <summary>Learns from a finished load.</summary>
    public void Learn(StagingReport report)
    {
        if (report.Completed is not { } duration || report.TotalBytes == 0)
        {
            return;
        }

        lock (_gate)
        {
            if (report.ObjectStoreBytes * 2 > report.TotalBytes)
            {
                _objectStore.Learn(report.ObjectStoreBytes, duration);
            }
            else if (report.NvmeBytes > 0)
            {
                _nvme.Learn(report.NvmeBytes, duration);
            }
            else if (report.HostBytes > 0)
            {
                _host.Learn(report.HostBytes, duration);
            }
        }
    }

    /// <summary>Time for so many bytes; null if the speed of one of the places in question is not known.</summary>
    public TimeSpan? Predict(long objectStoreBytes, long nvmeBytes)
    {
        lock (_gate)
        {
            // Until NVMe was measured alone it is taken to be as slow as object storage, which goes through it.
            var nvme = _nvme.IsKnown ? _nvme : _objectStore;
            if ((objectStoreBytes > 0 && !_objectStore.IsKnown) || (nvmeBytes > 0 && !nvme.IsKnown))
            {
                return null;
            }

            var moving = (objectStoreBytes * _objectStore.SecondsPerByte) + (nvmeBytes * nvme.SecondsPerByte);
            return TimeSpan.FromSeconds((objectStoreBytes > 0 ? _objectStore : nvme).FixedSeconds + moving);
        }
    }

    /// <summary>Time that a load under way still needs; null if the speed of the place that it comes from is not known.</summary>
    public TimeSpan? PredictRest(StagingReport report)
    {
        lock (_gate)
        {
            var place = report.ObjectStoreBytes > 0 || !_nvme.IsKnown ? _objectStore : _nvme;
            return report.Completed is not null ? TimeSpan.Zero
                : place.IsKnown ? TimeSpan.FromSeconds((report.TotalBytes - report.LandedBytes) * place.SecondsPerByte)
                : null;
        }
    }

    /// <summary>Time to copy so many bytes from host memory to a device; null before the first model has woken.</summary>
    public TimeSpan? PredictWake(long hostBytes)
    {
        lock (_gate)
        {
            return _host.IsKnown ? TimeSpan.FromSeconds(_host.FixedSeconds + (hostBytes * _host.SecondsPerByte)) : null;
        }
    }

    /// <summary>The last loads from one place, as a line through bytes and seconds: slope and height by medians (Theil and Sen), so that a load which was held up does not bend it. Under the gate.</summary>
    private sealed class Place
    {
        /// <summary>Few, so that a disk that has become slower is believed after two loads more.</summary>
        private const int Remembered = 5;

        private readonly List<Load> _loads = [];

        public bool IsKnown => _loads.Count > 0;

        public double SecondsPerByte { get; private set; }

        public double FixedSeconds { get; private set; }

        public void Learn(long bytes, TimeSpan duration)
        {
            _loads.Add(new Load(bytes, duration.TotalSeconds));
            if (_loads.Count > Remembered)
            {
                _loads.RemoveAt(0);
            }

            var slopes = new List<double>();
            foreach (var one in _loads)
            {
                foreach (var other in _loads)
                {
                    // Two loads of nearly the same size say nothing about the slope but their noise.
                    if (other.Bytes > one.Bytes * 2)
                    {
                        slopes.Add((other.Seconds - one.Seconds) / (other.Bytes - one.Bytes));
                    }
                }
            }

            SecondsPerByte = slopes.Count > 0 ? Math.Max(0, Median(slopes)) : Median(_loads.ConvertAll(static load => load.Seconds / load.Bytes));
            FixedSeconds = Math.Max(0, Median(_loads.ConvertAll(load => load.Seconds - (load.Bytes * SecondsPerByte))));
        }

        /// <summary>Of an even number the lower: of two loads the slower one was held up by something.</summary>
        private static double Median(List<double> values)
        {
            values.Sort();
            return values[(values.Count - 1) / 2];
        }

        private sealed record Load(long Bytes, double Seconds);
    }
}
