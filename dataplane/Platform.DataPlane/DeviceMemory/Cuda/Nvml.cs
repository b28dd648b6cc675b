using System.Runtime.InteropServices;

namespace Platform.DataPlane.DeviceMemory.Cuda;

/// <summary>A device's health from NVIDIA's management library. What a device or a driver does not tell stays null.</summary>
internal sealed unsafe partial class Nvml : IDisposable
{
    private const string Library = "libnvidia-ml.so.1";
    private const int Success = 0;
    private const int TemperatureOfGpu = 0;
    private const int UncorrectedErrors = 1;
    private const int SinceDriverLoad = 0;
    private const ulong XidCritical = 8;

    private readonly nint _device;
    private readonly nint _events;
    private readonly Lock _gate = new();
    private long? _lastXid;

    private Nvml(nint device)
    {
        _device = device;
        if (nvmlEventSetCreate(out _events) == Success && nvmlDeviceRegisterEvents(device, XidCritical, _events) != Success)
        {
            _ = nvmlEventSetFree(_events);
            _events = 0;
        }
    }

    /// <summary>Opens it for the device at a bus address; null where the library is not installed or does not know the device.</summary>
    public static Nvml? TryOpen(string busId)
    {
        if (!NativeLibrary.TryLoad(Library, out _) || nvmlInit() != Success)
        {
            return null;
        }

        if (nvmlDeviceGetHandleByPciBusId(busId, out var device) == Success)
        {
            return new Nvml(device);
        }

        _ = nvmlShutdown();
        return null;
    }

    /// <summary>Looks.</summary>
    public AcceleratorHealth Read()
    {
        lock (_gate)
        {
            while (_events != 0 && nvmlEventSetWait(_events, out var fault, 0) == Success)
            {
                _lastXid = (long)fault.Data;
            }

            return new AcceleratorHealth
            {
                Utilization = nvmlDeviceGetUtilizationRates(_device, out var rates) == Success ? rates.Gpu / 100.0 : null,
                TemperatureCelsius = nvmlDeviceGetTemperature(_device, TemperatureOfGpu, out var temperature) == Success ? (int)temperature : null,
                PowerWatts = nvmlDeviceGetPowerUsage(_device, out var milliwatts) == Success ? milliwatts / 1000.0 : null,
                UncorrectedMemoryErrors = nvmlDeviceGetTotalEccErrors(_device, UncorrectedErrors, SinceDriverLoad, out var errors) == Success ? (long)errors : null,
                LastXid = _lastXid,
            };
        }
    }

    public void Dispose()
    {
        lock (_gate)
        {
            if (_events != 0)
            {
                _ = nvmlEventSetFree(_events);
            }

            _ = nvmlShutdown();
        }
    }

    [LibraryImport(Library, EntryPoint = "nvmlInit_v2")]
    private static partial int nvmlInit();

    [LibraryImport(Library)]
    private static partial int nvmlShutdown();

    [LibraryImport(Library, EntryPoint = "nvmlDeviceGetHandleByPciBusId_v2", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int nvmlDeviceGetHandleByPciBusId(string busId, out nint device);

    [LibraryImport(Library)]
    private static partial int nvmlDeviceGetUtilizationRates(nint device, out Rates rates);

    [LibraryImport(Library)]
    private static partial int nvmlDeviceGetTemperature(nint device, int sensor, out uint celsius);

    [LibraryImport(Library)]
    private static partial int nvmlDeviceGetPowerUsage(nint device, out uint milliwatts);

    [LibraryImport(Library)]
    private static partial int nvmlDeviceGetTotalEccErrors(nint device, int kind, int counter, out ulong errors);

    [LibraryImport(Library)]
    private static partial int nvmlEventSetCreate(out nint events);

    [LibraryImport(Library)]
    private static partial int nvmlEventSetFree(nint events);

    [LibraryImport(Library)]
    private static partial int nvmlDeviceRegisterEvents(nint device, ulong types, nint events);

    [LibraryImport(Library, EntryPoint = "nvmlEventSetWait_v2")]
    private static partial int nvmlEventSetWait(nint events, out Fault fault, uint timeoutMilliseconds);

    [StructLayout(LayoutKind.Sequential)]
    private struct Rates
    {
        public uint Gpu;
        public uint Memory;
    }

    /// <summary><c>nvmlEventData_t</c>.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct Fault
    {
        public nint Device;
        public ulong Type;
        public ulong Data;
        public uint GpuInstance;
        public uint ComputeInstance;
    }
}
