namespace Platform.DataPlane.DeviceMemory.OpenCl;

/// <summary>The devices that OpenCL shows on this machine.</summary>
internal static unsafe class OpenClDevices
{
    /// <summary>All of them, and why there are none.</summary>
    public static IReadOnlyList<(nint Device, AcceleratorInfo Info)> Find(out string reason)
    {
        var devices = new List<(nint, AcceleratorInfo)>();
        if (!OpenClApi.IsInstalled)
        {
            reason = "libOpenCL.so.1 is not installed (Debian: ocl-icd-libopencl1 with a driver such as pocl-opencl-icd)";
            return devices;
        }

        // A loader without drivers answers with an error (-1001), which is as good as none.
        reason = "libOpenCL.so.1 is installed and knows no device (Debian: pocl-opencl-icd, or the vendor's driver)";
        if (OpenClApi.clGetPlatformIDs(0, null, out var count) != OpenClApi.Success)
        {
            return devices;
        }

        var platforms = new nint[count];
        fixed (nint* list = platforms)
        {
            OpenClApi.Check(OpenClApi.clGetPlatformIDs(count, list, out _), nameof(OpenClApi.clGetPlatformIDs), "loader");
        }

        foreach (var platform in platforms)
        {
            if (OpenClApi.clGetDeviceIDs(platform, OpenClApi.DeviceTypeAll, 0, null, out var found) != OpenClApi.Success)
            {
                continue;
            }

            var ids = new nint[found];
            fixed (nint* list = ids)
            {
                OpenClApi.Check(OpenClApi.clGetDeviceIDs(platform, OpenClApi.DeviceTypeAll, found, list, out _), nameof(OpenClApi.clGetDeviceIDs), "platform");
            }

            devices.AddRange(ids.Select(id => (id, Describe(platform, id))));
        }

        return devices;
    }

    private static AcceleratorInfo Describe(nint platform, nint device) => new(
        AcceleratorKind.OpenCl,
        OpenClApi.TextOf(device, OpenClApi.DeviceName),
        $"{OpenClApi.NameOfPlatform(platform)}, {OpenClApi.TextOf(device, OpenClApi.DeviceVersion)}",
        (long)Math.Min(OpenClApi.NumberOf(device, OpenClApi.DeviceGlobalMemSize), long.MaxValue),
        (long)Math.Min(OpenClApi.NumberOf(device, OpenClApi.DeviceMaxMemAllocSize), long.MaxValue),
        IsProcessor: (OpenClApi.NumberOf(device, OpenClApi.DeviceType) & OpenClApi.DeviceTypeCpu) != 0);
}
