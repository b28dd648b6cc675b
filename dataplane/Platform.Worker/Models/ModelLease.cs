using Platform.Worker.Engines;

namespace Platform.Worker.Models;

/// <summary>The right to use a loaded model: as long as one is held, the model is not evicted.</summary>
internal sealed class ModelLease(string model, LoadedModel loaded, TimeSpan staged, TimeSpan starting, bool waited, Action release) : IDisposable
{
    private Action? _release = release;

    public string Model => model;

    public IEngine Engine => loaded.Engine;

    /// <summary>Time that the holder waited for bytes.</summary>
    public TimeSpan Staged => staged;

    /// <summary>Time that the holder waited from bytes in memory to an engine that can run.</summary>
    public TimeSpan Loading => loaded.Report.StartsProcess ? TimeSpan.Zero : starting;

    /// <summary>Time that the holder waited for the engine's own process, from its start until it was healthy.</summary>
    public TimeSpan Process => loaded.Report.StartsProcess ? starting : TimeSpan.Zero;

    /// <summary>Bytes that the load read from object storage; 0 if the holder did not wait for it.</summary>
    public long ObjectStoreBytes => waited ? loaded.Report.ObjectStoreBytes : 0;

    /// <summary>Bytes that the load read from the NVMe tier; 0 if the holder did not wait for it.</summary>
    public long NvmeBytes => waited ? loaded.Report.NvmeBytes : 0;

    /// <summary>Bytes that the load took from host memory, where the model slept; 0 if the holder did not wait for it.</summary>
    public long HostBytes => waited ? loaded.Report.HostBytes : 0;

    public void Dispose() => Interlocked.Exchange(ref _release, null)?.Invoke();
}
