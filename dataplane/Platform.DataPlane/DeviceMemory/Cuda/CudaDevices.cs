namespace Platform.DataPlane.DeviceMemory.Cuda;

/// <summary>The devices that CUDA's driver shows on this machine.</summary>
internal static class CudaDevices
{
    /// <summary>All of them, and why there are none.</summary>
    public static IReadOnlyList<(int Device, AcceleratorInfo Info)> Find(out string reason)
    {
        reason = "";
        if (!CudaApi.IsInstalled)
        {
            reason = "libcuda.so.1 is not installed: this machine has no NVIDIA driver";
            return [];
        }

        var error = CudaApi.cuInit(0);
        if (error != CudaApi.Success)
        {
            reason = $"NVIDIA's driver is installed and does not start (CUDA error {error}: {CudaApi.TextOf(error)})";
            return [];
        }

        CudaApi.Check(CudaApi.cuDriverGetVersion(out var version), nameof(CudaApi.cuDriverGetVersion), "driver");
        CudaApi.Check(CudaApi.cuDeviceGetCount(out var count), nameof(CudaApi.cuDeviceGetCount), "driver");
        var devices = new List<(int, AcceleratorInfo)>();
        for (var ordinal = 0; ordinal < count; ordinal++)
        {
            CudaApi.Check(CudaApi.cuDeviceGet(out var device, ordinal), nameof(CudaApi.cuDeviceGet), $"device {ordinal}");
            CudaApi.Check(CudaApi.cuDeviceTotalMem(out var bytes, device), nameof(CudaApi.cuDeviceTotalMem), $"device {ordinal}");
            devices.Add((device, new AcceleratorInfo(AcceleratorKind.Cuda, CudaApi.NameOf(device), $"CUDA {version / 1000}.{version % 1000 / 10}", (long)bytes, (long)bytes, IsProcessor: false)));
        }

        reason = devices.Count == 0 ? "NVIDIA's driver is installed and shows no device" : "";
        return devices;
    }
}
