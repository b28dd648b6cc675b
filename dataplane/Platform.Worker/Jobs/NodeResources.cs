using Microsoft.Extensions.Options;
using Platform.Jobs;
using Platform.Worker.Models;

namespace Platform.Worker.Jobs;

/// <summary>What jobs may take of this node, and what is taken. The last word on it: control's picture may be a heartbeat old. Thread-safe.</summary>
internal sealed class NodeResources(ResidentModels models, IOptions<WorkerOptions> options)
{
    private readonly Lock _lock = new();
    private readonly SortedSet<int> _freeDevices = [.. Enumerable.Range(0, options.Value.Devices)];
    private long _deviceMemory;
    private double _cpus;
    private long _memory;

    public int Devices => options.Value.Devices;

    public double Cpus { get; } = options.Value.JobCpus > 0 ? options.Value.JobCpus : Environment.ProcessorCount;

    public long MemoryBytes { get; } = options.Value.JobMemoryBytes > 0 ? options.Value.JobMemoryBytes : GC.GetGCMemoryInfo().TotalAvailableMemoryBytes;

    /// <summary>What no job has taken.</summary>
    public (int Devices, long DeviceMemoryBytes, double Cpus, long MemoryBytes) Free
    {
        get
        {
            lock (_lock)
            {
                return (_freeDevices.Count, Math.Max(0, models.FreeBytes - _deviceMemory), Cpus - _cpus, MemoryBytes - _memory);
            }
        }
    }

    /// <summary>Takes what the job asks for; null, with the reason, if there is too little of something.</summary>
    public JobShare? TryTake(JobResources? asked, out string lacks)
    {
        asked ??= new JobResources();
        lock (_lock)
        {
            var free = Free;
            lacks = asked.Devices > free.Devices ? $"{free.Devices} device(s) are free and the job takes {asked.Devices}."
                : asked.DeviceMemoryBytes > 0 && asked.DeviceMemoryBytes > free.DeviceMemoryBytes ? $"{free.DeviceMemoryBytes} bytes of device memory are free and the job takes {asked.DeviceMemoryBytes}."
                : asked.Cpu > 0 && asked.Cpu > free.Cpus ? $"{free.Cpus} processor(s) are free and the job takes {asked.Cpu}."
                : asked.MemoryBytes > 0 && asked.MemoryBytes > free.MemoryBytes ? $"{free.MemoryBytes} bytes of memory are free and the job takes {asked.MemoryBytes}."
                : "";
            if (lacks.Length > 0)
            {
                return null;
            }

            var devices = _freeDevices.Take(asked.Devices).ToArray();
            _freeDevices.ExceptWith(devices);
            _deviceMemory += asked.DeviceMemoryBytes;
            _cpus += asked.Cpu;
            _memory += asked.MemoryBytes;
            return new JobShare(devices, asked, this);
        }
    }

    private void Return(JobShare share)
    {
        lock (_lock)
        {
            _freeDevices.UnionWith(share.Devices);
            _deviceMemory -= share.Asked.DeviceMemoryBytes;
            _cpus -= share.Asked.Cpu;
            _memory -= share.Asked.MemoryBytes;
        }
    }

    /// <summary>What one job has taken; given back by Dispose, once.</summary>
    internal sealed class JobShare(IReadOnlyList<int> devices, JobResources asked, NodeResources node) : IDisposable
    {
        private bool _returned;

        /// <summary>Numbers of the devices that are the job's alone.</summary>
        public IReadOnlyList<int> Devices => devices;

        public JobResources Asked => asked;

        public void Dispose()
        {
            if (!_returned)
            {
                _returned = true;
                node.Return(this);
            }
        }
    }
}
