namespace Platform.DataPlane.Weights;

/// <summary>Seconds per byte from object storage and from NVMe, learned from finished loads: recent ones count more.</summary>
/// <remarks>Thread-safe. A load is credited to the place that most of its bytes came from, since the stages overlap and the slower one sets the pace.</remarks>
internal sealed class StagingSpeeds
{
    private const double NewShare = 0.3;

    private readonly Lock _gate = new();
    private double? _perObjectStoreByte;
    private double? _perNvmeByte;
    private double? _perHostByte;

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
                _perObjectStoreByte = Blend(_perObjectStoreByte, duration.TotalSeconds / report.ObjectStoreBytes);
            }
            else if (report.NvmeBytes > 0)
            {
                _perNvmeByte = Blend(_perNvmeByte, duration.TotalSeconds / report.NvmeBytes);
            }
            else if (report.HostBytes > 0)
            {
                _perHostByte = Blend(_perHostByte, duration.TotalSeconds / report.HostBytes);
            }
        }
    }

    /// <summary>Time for so many bytes; null if the speed of one of the places in question is not known.</summary>
    public TimeSpan? Predict(long objectStoreBytes, long nvmeBytes)
    {
        lock (_gate)
        {
            if ((objectStoreBytes > 0 && _perObjectStoreByte is null) || (nvmeBytes > 0 && _perNvmeByte is null && _perObjectStoreByte is null))
            {
                return null;
            }

            // Until NVMe was measured alone it is taken to be as slow as object storage, which goes through it.
            return TimeSpan.FromSeconds((objectStoreBytes * (_perObjectStoreByte ?? 0)) + (nvmeBytes * (_perNvmeByte ?? _perObjectStoreByte ?? 0)));
        }
    }

    /// <summary>Time to copy so many bytes from host memory to a device; null before the first model has woken.</summary>
    public TimeSpan? PredictWake(long hostBytes)
    {
        lock (_gate)
        {
            return _perHostByte is { } seconds ? TimeSpan.FromSeconds(hostBytes * seconds) : null;
        }
    }

    private static double Blend(double? old, double seen) => old is { } value ? (value * (1 - NewShare)) + (seen * NewShare) : seen;
}
