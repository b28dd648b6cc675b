using Platform.DataPlane.DeviceMemory;
using Platform.DataPlane.HostMemory;
using Platform.Jobs.Telemetry;
using Platform.Worker;

namespace Platform.UnitTests.Worker;

/// <summary>What an operator sees of a device's health.</summary>
public sealed class AcceleratorMetricsTests
{
    [Fact]
    public void Page_HasWhatTheDriverTells_AndLeavesOutWhatItDoesNot()
    {
        using var metrics = new WorkerMetrics();
        using var accelerator = new Ailing { Health = new AcceleratorHealth { FreeBytes = 123, Utilization = 0.25, TemperatureCelsius = 71, PowerWatts = 350.5, LastXid = 79 } };
        metrics.Watch(accelerator);
        using var page = new PrometheusPage(WorkerMetrics.MeterName);

        var lines = page.Write().Split('\n').Where(line => line.StartsWith("platform_worker_accelerator", StringComparison.Ordinal) && line.Contains("Ailing", StringComparison.Ordinal)).Select(line => line.Split('{')[0] + line.Split('}')[1]).Order().ToList();

        Assert.Equal(["capacity_bytes 1000", "free_bytes 123", "last_xid 79", "power 350.5", "temperature 71", "utilization 0.25"], lines.Select(line => line["platform_worker_accelerator_".Length..]));
    }

    private sealed class Ailing : IAccelerator
    {
        public AcceleratorInfo Info { get; } = new(AcceleratorKind.Cuda, "Ailing GPU", "CUDA 13.0", 1000, 1000, IsProcessor: false);

        public AcceleratorHealth Health { get; init; } = new();

        public long AllocatedBytes => 0;

        public IDeviceBuffer? TryAllocate(long lengthBytes) => null;

        public AlignedMemory AllocatePinned(long lengthBytes) => new(lengthBytes);

        public HostRegistration Register(AlignedMemory memory) => throw new NotSupportedException();

        public ICopyStream OpenStream() => throw new NotSupportedException();

        public AcceleratorHealth ReadHealth() => Health;

        public void Dispose()
        {
            // It holds nothing.
        }
    }
}
