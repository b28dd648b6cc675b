using Microsoft.Extensions.Options;
using Platform.DataPlane.DeviceMemory;
using Platform.DataPlane.DeviceMemory.Host;

namespace Platform.Worker;

/// <summary>What this node computes with: the device found at start, and the memory that the built-in engine, which computes on the processor, runs in.</summary>
internal sealed class NodeDevices : IDisposable
{
    /// <summary>What an idle node holds on to at most, so that a model that wakes finds memory whose pages are there.</summary>
    private const long KeptLimitBytes = 256L << 20;

    private readonly HostAccelerator? _processor;

    /// <summary>Opens them.</summary>
    /// <exception cref="AcceleratorException">The device that the settings ask for is not there.</exception>
    public NodeDevices(WorkerNode node, IOptions<WorkerOptions> options)
    {
        var host = new HostAcceleratorOptions { CapacityBytes = node.DeviceCapacityBytes, KeptBytes = Math.Min(KeptLimitBytes, node.DeviceCapacityBytes) };
        Accelerator = Accelerators.Open(options.Value.Accelerator, host);
        Device = new DeviceArena(Accelerator, Accelerator is HostAccelerator ? 0 : options.Value.DeviceCapacityBytes);
        _processor = Accelerator is HostAccelerator ? null : new HostAccelerator(host);
        Processor = _processor is null ? Device : new DeviceArena(_processor);
    }

    /// <summary>The node's device.</summary>
    public IAccelerator Accelerator { get; }

    /// <summary>Its memory, for engines that compute on it.</summary>
    public DeviceArena Device { get; }

    /// <summary>Host memory as device memory, for engines that compute on the processor.</summary>
    public DeviceArena Processor { get; }

    /// <summary>For the start-up line and heartbeats: the device's own name, and what the built-in engine runs on if that is something else.</summary>
    public string Description => _processor is null ? Accelerator.Info.ToString() : $"{Accelerator.Info}; built-in engine on {_processor.Info}";

    public void Dispose()
    {
        Accelerator.Dispose();
        _processor?.Dispose();
    }
}
