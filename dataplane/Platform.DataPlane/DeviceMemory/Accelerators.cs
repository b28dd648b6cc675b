using Platform.DataPlane.DeviceMemory.Cuda;
using Platform.DataPlane.DeviceMemory.Host;
using Platform.DataPlane.DeviceMemory.OpenCl;

namespace Platform.DataPlane.DeviceMemory;

/// <summary>Finds what this machine computes with.</summary>
public static class Accelerators
{
    /// <summary>Names for <see cref="Open"/>.</summary>
    public static IReadOnlyList<string> Names { get; } = ["auto", "cuda", "opencl", "host"];

    /// <summary>Opens a device.</summary>
    /// <param name="name"><c>auto</c>: an NVIDIA device, else an OpenCL device that is not the processor, else host memory. <c>cuda</c>, <c>opencl</c> (the processor too), <c>host</c>: that one or none.</param>
    /// <param name="host">Settings of the host's memory, should it be chosen.</param>
    /// <exception cref="AcceleratorException">There is no such device; the message says why.</exception>
    public static IAccelerator Open(string name = "auto", HostAcceleratorOptions? host = null)
    {
        switch (name)
        {
            case "auto":
                return TryCuda(out _) ?? TryOpenCl(withProcessors: false, out _) ?? new HostAccelerator(host);
            case "cuda":
                return TryCuda(out var noCuda) ?? throw new AcceleratorException($"There is no CUDA device: {noCuda}.");
            case "opencl":
                return TryOpenCl(withProcessors: true, out var noOpenCl) ?? throw new AcceleratorException($"There is no OpenCL device: {noOpenCl}.");
            case "host":
                return new HostAccelerator(host);
            default:
                throw new AcceleratorException($"'{name}' is not an accelerator; expected one of {string.Join(", ", Names)}.");
        }
    }

    /// <summary>The first CUDA device; null with the reason.</summary>
    public static IAccelerator? TryCuda(out string reason, CudaAcceleratorOptions? options = null) =>
        CudaDevices.Find(out reason) is [var first, ..] ? new CudaAccelerator(first.Device, first.Info, options ?? new CudaAcceleratorOptions()) : null;

    /// <summary>The first OpenCL device, those that are no processor before those that are; null with the reason.</summary>
    public static IAccelerator? TryOpenCl(bool withProcessors, out string reason)
    {
        var devices = OpenClDevices.Find(out reason).OrderBy(device => device.Info.IsProcessor).ToList();
        if (devices is [var first, ..] && (withProcessors || !first.Info.IsProcessor))
        {
            return new OpenClAccelerator(first.Device, first.Info);
        }

        reason = devices.Count > 0 ? $"OpenCL knows the processor alone ('{devices[0].Info.Name}')" : reason;
        return null;
    }
}
