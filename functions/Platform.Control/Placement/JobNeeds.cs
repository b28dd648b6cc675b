using System.Runtime.InteropServices;
using Platform.Jobs;

namespace Platform.Control.Placement;

/// <summary>What a job takes of a node while it runs, beside its slot.</summary>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct JobNeeds(int Devices, long DeviceMemoryBytes, double Cpus, long MemoryBytes)
{
    public static JobNeeds Of(JobSpec spec) => spec.Resources is { } resources
        ? new JobNeeds(resources.Devices, resources.DeviceMemoryBytes, resources.Cpu, resources.MemoryBytes)
        : default;

    public static JobNeeds operator +(JobNeeds one, JobNeeds other) =>
        new(one.Devices + other.Devices, one.DeviceMemoryBytes + other.DeviceMemoryBytes, one.Cpus + other.Cpus, one.MemoryBytes + other.MemoryBytes);
}
