using System.ComponentModel.DataAnnotations;
using Microsoft.Extensions.Options;
using Platform.Worker.Engines.External;

namespace Platform.Worker;

/// <summary>Settings of a worker: section <c>Worker</c> of the configuration, for example environment variable <c>Worker__MaxJobs=2</c>.</summary>
public sealed class WorkerOptions
{
    /// <summary>Section of the configuration.</summary>
    public const string Section = "Worker";

    /// <summary>Folder of the whole platform's state. Default: <c>PLATFORM_HOME</c>, else <c>.platform</c> beside the nearest <c>dapr.yaml</c>.</summary>
    public string? Home { get; set; }

    /// <summary>Object storage: a folder, or <c>s3://bucket[/prefix][?endpoint=URL&amp;region=NAME&amp;path-style=true|false]</c>. Default: <c>PLATFORM_OBJECT_STORAGE</c>, else <c>objects</c> in <see cref="Home"/>.</summary>
    public string? ObjectStorage { get; set; }

    /// <summary>Hard limit of the NVMe tier, bytes. Default 1 GiB, at least 16 MiB.</summary>
    [Range(16L << 20, long.MaxValue)]
    public long TierLimitBytes { get; set; } = 1L << 30;

    /// <summary>Bytes that models may take in device memory; 0 for half of the machine's memory. Default 0.</summary>
    [Range(0, long.MaxValue)]
    public long DeviceCapacityBytes { get; set; }

    /// <summary>What the node computes with: <c>auto</c> (an NVIDIA device, else an OpenCL device that is not the processor, else host memory), <c>cuda</c>, <c>opencl</c> or <c>host</c>. Default <c>auto</c>.</summary>
    [RegularExpression("^(auto|cuda|opencl|host)$", ErrorMessage = "Worker:Accelerator is auto, cuda, opencl or host.", MatchTimeoutInMilliseconds = 1000)]
    public string Accelerator { get; set; } = "auto";

    /// <summary>Host memory in which models sleep after they left the device, so that they wake without a byte from NVMe, bytes. Default: an eighth of the machine's memory; 0 keeps none.</summary>
    [Range(0, long.MaxValue)]
    public long SleepLimitBytes { get; set; } = GC.GetGCMemoryInfo().TotalAvailableMemoryBytes / 8;

    /// <summary>A server program that runs models in place of the built-in engine.</summary>
    [ValidateObjectMembers]
    public ExternalEngineOptions External { get; set; } = new();

    /// <summary>Jobs that run at once. Default 1, 0 to 64; 0 makes a node that only serves calls.</summary>
    [Range(0, 64)]
    public int MaxJobs { get; set; } = 1;

    /// <summary>Completions that run or wait at once; one more is answered with 429. Default 64, 1 to 4096.</summary>
    [Range(1, 4096)]
    public int MaxInFlight { get; set; } = 64;

    /// <summary>Threads that one model computes with. Default 1, 1 to 256.</summary>
    [Range(1, 256)]
    public int EngineThreads { get; set; } = 1;

    /// <summary>Completions that one model computes side by side. Default 8, 1 to 256.</summary>
    [Range(1, 256)]
    public int EngineBatch { get; set; } = 8;

    /// <summary>How often the node tells control what it has and does; on change it tells at once. Default 500 ms, 50 ms to 1 min.</summary>
    [Range(typeof(TimeSpan), "00:00:00.05", "00:01:00")]
    public TimeSpan Heartbeat { get; set; } = TimeSpan.FromMilliseconds(500);

    /// <summary>Items of a batch job that are computed side by side. Default 4, 1 to 64.</summary>
    [Range(1, 64)]
    public int BatchItems { get; set; } = 4;

    /// <summary>How long finished items of a job may wait in memory before they are kept in object storage. Default 1 s, 0 to 1 min.</summary>
    [Range(typeof(TimeSpan), "00:00:00", "00:01:00")]
    public TimeSpan KeepItemsEvery { get; set; } = TimeSpan.FromSeconds(1);

    /// <summary>Longest input object of a batch job. Default 64 MiB, 1 byte to 1 GiB.</summary>
    [Range(1, 1L << 30)]
    public long MaxInputBytes { get; set; } = 64L << 20;

    /// <summary>Longest log of one attempt; what comes after is dropped, and the log says so. Default 16 MiB, 1 KiB to 1 GiB.</summary>
    [Range(1L << 10, 1L << 30)]
    public long MaxLogBytes { get; set; } = 16L << 20;

    /// <summary>Allows jobs of kind <c>exec</c>, which run any command with the rights of this process. Default false.</summary>
    public bool ExecEnabled { get; set; }

    /// <summary>Devices that jobs may take whole; a command sees those it has by <c>CUDA_VISIBLE_DEVICES</c>, and they are among the worker's own if it has that variable. Default 0, 0 to 64.</summary>
    [Range(0, 64)]
    public int Devices { get; set; }

    /// <summary>Processors that jobs may take; 0 for all. Default 0.</summary>
    [Range(0, 4096)]
    public double JobCpus { get; set; }

    /// <summary>Bytes of memory that jobs may take; 0 for all. Default 0.</summary>
    [Range(0, long.MaxValue)]
    public long JobMemoryBytes { get; set; }

    /// <summary>Price of this node, in millionths of the operator's currency per hour, for the ledger. Default 0, at most a million units.</summary>
    [Range(0, 1_000_000_000_000)]
    public long PriceMicrosPerHour { get; set; }

    /// <summary>Bytes that the scratch folder of a command may hold where its job says nothing. Default 1 GiB.</summary>
    [Range(0, long.MaxValue)]
    public long ScratchBytes { get; set; } = 1L << 30;

    /// <summary>Bytes that the output folder of a command may hold where its job says nothing. Default 1 GiB.</summary>
    [Range(0, long.MaxValue)]
    public long OutputBytes { get; set; } = 1L << 30;

    /// <summary>From SIGTERM to SIGKILL where a job says nothing. Default 10 s, 0 to 5 min.</summary>
    [Range(typeof(TimeSpan), "00:00:00", "00:05:00")]
    public TimeSpan Grace { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>How often the checkpoint of a job is copied to object storage if it has changed. Default 5 s, 10 ms to 1 h.</summary>
    [Range(typeof(TimeSpan), "00:00:00.01", "01:00:00")]
    public TimeSpan CheckpointEvery { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>Longest request body. Default 4 MiB, 1 KiB to 64 MiB.</summary>
    [Range(1L << 10, 64L << 20)]
    public long MaxBodyBytes { get; set; } = 4L << 20;
}
