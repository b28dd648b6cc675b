using Microsoft.Extensions.Options;
using Platform.DataPlane.ObjectStorage;
using Platform.Jobs;

namespace Platform.Worker;

/// <summary>Who this process is, and which folders are its own.</summary>
internal sealed class WorkerNode
{
    public WorkerNode(string name, IOptions<WorkerOptions> options)
    {
        Name = name;
        var home = HomeFolder.Resolve(options.Value.Home);
        ObjectStorage = options.Value.ObjectStorage ?? ObjectStorageLocation.Resolve(home.Objects);
        TierFolder = home.Tier(name);
        JobsFolder = Path.Combine(home.Node(name), "jobs");
        EnginesFolder = Path.Combine(home.Node(name), "engines");
        WorkFolder = Path.Combine(home.Node(name), "work");
        DeviceCapacityBytes = options.Value.DeviceCapacityBytes > 0
            ? options.Value.DeviceCapacityBytes
            : GC.GetGCMemoryInfo().TotalAvailableMemoryBytes / 2;
    }

    /// <summary>App id.</summary>
    public string Name { get; }

    /// <summary>Another one in every process, so that control notices a restart.</summary>
    public string InstanceId { get; } = Guid.NewGuid().ToString("n");

    /// <summary>As <see cref="ObjectStorageLocation"/> takes it.</summary>
    public string ObjectStorage { get; }

    public string TierFolder { get; }

    /// <summary>Logs of attempts that are not yet in object storage: <c>{job}/{attempt}.log</c>.</summary>
    public string JobsFolder { get; }

    /// <summary>Folders of links to models' files, for engines that are programs of their own.</summary>
    public string EnginesFolder { get; }

    /// <summary>Folders of commands that run now; emptied at the start.</summary>
    public string WorkFolder { get; }

    public long DeviceCapacityBytes { get; }
}
