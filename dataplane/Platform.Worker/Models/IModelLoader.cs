using Platform.DataPlane.DeviceMemory;
using Platform.Jobs;
using Platform.Worker.Engines;

namespace Platform.Worker.Models;

/// <summary>Brings a model from object storage into an engine.</summary>
internal interface IModelLoader
{
    /// <summary>The device memory that this loader's models run in.</summary>
    DeviceArena Arena { get; }

    /// <summary>Models whose weights are in host memory, from where they are loaded without a byte from NVMe.</summary>
    IReadOnlyList<string> Asleep { get; }

    /// <summary>How long a load would take from where its bytes are now; null before any load has shown it.</summary>
    TimeSpan? Predict(ModelManifest manifest);

    /// <summary>Loads the model; the caller disposes the engine, then the room.</summary>
    /// <param name="manifest">The model.</param>
    /// <param name="room">Its share of <see cref="Arena"/>; the load waits until it is granted.</param>
    /// <param name="cancellationToken">Gives the load up.</param>
    /// <exception cref="EngineException">Its files are not what they should be.</exception>
    /// <exception cref="Platform.DataPlane.StorageException">Its bytes could not be brought in.</exception>
    Task<LoadedModel> LoadAsync(ModelManifest manifest, DeviceRoom room, CancellationToken cancellationToken);

    /// <summary>Lets go of the model's weights in host memory; the next load comes from NVMe.</summary>
    void DropImage(string model);

    /// <summary>Drops the model's image in host memory, and its files from the NVMe tier.</summary>
    Task ForgetAsync(string model, CancellationToken cancellationToken);
}

/// <summary>A model that can run, and what it took to get there.</summary>
/// <param name="Engine">Serves it.</param>
/// <param name="Report">Bytes and moments of the load.</param>
internal sealed record LoadedModel(IEngine Engine, LoadReport Report);

/// <summary>What one load read, and when. Moments are timestamps of the process's <see cref="TimeProvider"/>.</summary>
/// <param name="ObjectStoreBytes">Bytes really read from object storage.</param>
/// <param name="NvmeBytes">Bytes really read from the NVMe tier.</param>
/// <param name="StartedAt">Begin of the load.</param>
/// <param name="StagedAt">All bytes in memory.</param>
/// <param name="ReadyAt">The engine can run.</param>
internal sealed record LoadReport(long ObjectStoreBytes, long NvmeBytes, long StartedAt, long StagedAt, long ReadyAt)
{
    /// <summary>Bytes that were in host memory already, because the model slept there.</summary>
    public long HostBytes { get; init; }

    /// <summary>True if the engine is a process of its own, started once the bytes were there.</summary>
    public bool StartsProcess { get; init; }
}
