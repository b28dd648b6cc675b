using Platform.DataPlane.DeviceMemory;
using Platform.Jobs;
using Platform.Worker.Engines;

namespace Platform.Worker.Models;

/// <summary>The models in device memory. A model is loaded once for all who ask; idle ones make room, least recently used first.</summary>
/// <remarks>Safe for any number of threads. A load goes on when its askers have left: the next one finds it warm.</remarks>
internal sealed class ResidentModels(IModelLoader loader, WorkerNode node, NodeChanges changes, TimeProvider time, ILogger<ResidentModels> logger) : IAsyncDisposable
{
    private readonly Lock _lock = new();
    private readonly Dictionary<string, Resident> _models = new(StringComparer.Ordinal);
    private readonly CancellationTokenSource _stop = new();
    private readonly List<Task> _ending = [];

    /// <summary>Bytes that models may take together.</summary>
    public long CapacityBytes => loader.Arena.LimitBytes;

    /// <summary>Bytes that no model takes.</summary>
    public long FreeBytes => loader.Arena.FreeBytes;

    /// <summary>How near each model is that is in memory or on its way.</summary>
    public IReadOnlyDictionary<string, ModelResidency> Residency()
    {
        lock (_lock)
        {
            var residency = loader.Asleep.ToDictionary(static model => model, static _ => ModelResidency.Host);
            foreach (var (name, model) in _models)
            {
                residency[name] = model.Load.IsCompletedSuccessfully ? ModelResidency.Ready : ModelResidency.Loading;
            }

            return residency;
        }
    }

    /// <summary>True while a model is on its way into memory.</summary>
    public bool IsLoading(string model)
    {
        lock (_lock)
        {
            return _models.TryGetValue(model, out var known) && !known.Load.IsCompleted;
        }
    }

    /// <summary>When a model that is being loaded is expected to be ready; null if it is not being loaded, or nothing is known of that. Zero if it is late.</summary>
    public TimeSpan? ReadyIn(string model)
    {
        lock (_lock)
        {
            return _models.TryGetValue(model, out var known) ? ReadyIn(known) : null;
        }
    }

    /// <summary>The same of all models of which it is known, in seconds.</summary>
    public IReadOnlyDictionary<string, double> ReadyInSeconds()
    {
        lock (_lock)
        {
            return _models.Where(model => ReadyIn(model.Value) is not null).ToDictionary(static model => model.Key, model => ReadyIn(model.Value)!.Value.TotalSeconds);
        }
    }

    /// <summary>Tokens made by all models that are in memory.</summary>
    public long TokensMade()
    {
        lock (_lock)
        {
            return _models.Values.Where(model => model.Load.IsCompletedSuccessfully).Sum(model => model.Load.Result.Engine.TokensMade);
        }
    }

    /// <summary>The manifest of a model that is in memory or on its way; null if it is not.</summary>
    public ModelManifest? ManifestOf(string model)
    {
        lock (_lock)
        {
            return _models.GetValueOrDefault(model)?.Manifest;
        }
    }

    /// <summary>Waits until the model can run, loading it first if it must, and holds it there.</summary>
    /// <exception cref="EngineException">It cannot be loaded, or there is no room for it.</exception>
    /// <exception cref="Platform.DataPlane.StorageException">Its bytes could not be brought in.</exception>
    public async Task<ModelLease> AcquireAsync(ModelManifest manifest, CancellationToken cancellationToken)
    {
        var asked = time.GetTimestamp();
        var model = Hold(manifest);
        try
        {
            var waited = !model.Load.IsCompleted;
            var loaded = await model.Load.WaitAsync(cancellationToken);
            var report = loaded.Report;
            return new ModelLease(
                manifest.Name,
                loaded,
                waited ? Elapsed(Math.Max(asked, report.StartedAt), report.StagedAt) : TimeSpan.Zero,
                waited ? Elapsed(Math.Max(asked, report.StagedAt), report.ReadyAt) : TimeSpan.Zero,
                waited,
                () => Release(model));
        }
        catch
        {
            Release(model);
            throw;
        }
    }

    /// <summary>Begins to load the model; completes when it is ready.</summary>
    public async Task WarmAsync(ModelManifest manifest)
    {
        using var lease = await AcquireAsync(manifest, CancellationToken.None);
    }

    /// <summary>Takes a model out of memory if nobody holds it and nobody has used it for <paramref name="idle"/>; host memory, as far as there is room to sleep, and the NVMe tier keep it. True if it left.</summary>
    public bool ReleaseIdle(string name, TimeSpan idle)
    {
        lock (_lock)
        {
            if (!_models.TryGetValue(name, out var model) || model.Holders > 0 || !model.Load.IsCompleted || time.GetElapsedTime(model.LastUsed) < idle)
            {
                return false;
            }

            ModelLog.Released(logger, name, time.GetElapsedTime(model.LastUsed).TotalSeconds);
            _models.Remove(name);
            Retire(model);
        }

        changes.Tell();
        return true;
    }

    /// <summary>Puts a model to sleep: it leaves the device once its last call is done. A call that comes later wakes it.</summary>
    /// <param name="name">The model.</param>
    /// <param name="keepInHostMemory">False lets go of its weights in host memory as well; they stay on NVMe.</param>
    public void Sleep(string name, bool keepInHostMemory)
    {
        lock (_lock)
        {
            if (_models.Remove(name, out var model))
            {
                ModelLog.Sleeps(logger, name, keepInHostMemory ? "host" : "process");
                Retire(model);
            }
        }

        if (!keepInHostMemory)
        {
            loader.DropImage(name);
        }

        changes.Tell();
    }

    /// <summary>Takes a model out of memory, once its last call is done, and out of the NVMe tier.</summary>
    public async Task DropAsync(string name, CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            if (_models.Remove(name, out var model))
            {
                ModelLog.Dropped(logger, name);
                Retire(model);
            }
        }

        changes.Tell();
        await loader.ForgetAsync(name, cancellationToken);
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        Task[] ending;
        lock (_lock)
        {
            foreach (var model in _models.Values)
            {
                _ending.Add(EndAsync(model));
            }

            _models.Clear();
            ending = [.. _ending];
        }

        await Task.WhenAll(ending);
        _stop.Dispose();
    }

    private Resident Hold(ModelManifest manifest)
    {
        lock (_lock)
        {
            if (_models.TryGetValue(manifest.Name, out var known))
            {
                if (known.IsVersion(manifest) && !known.Load.IsFaulted && !known.Load.IsCanceled && known.Room.TryHold())
                {
                    known.Holders++;
                    return known;
                }

                // Published again with other files, or its load has just failed: this call wants a new one.
                _models.Remove(manifest.Name);
                Retire(known);
            }

            var model = new Resident(manifest) { Holders = 1 };
            model.Room = Reserve(model);
            model.Expected = loader.Predict(manifest);
            model.LoadingSince = time.GetTimestamp();
            _models[manifest.Name] = model;
            model.Load = Task.Run(() => LoadAsync(model));
            changes.Tell();
            return model;
        }
    }

    private async Task<LoadedModel> LoadAsync(Resident model)
    {
        var name = model.Manifest.Name;
        var started = time.GetTimestamp();
        try
        {
            ModelLog.Loading(logger, name, model.Bytes);
            var loaded = await loader.LoadAsync(model.Manifest, model.Room, _stop.Token);
            ModelLog.Loaded(logger, name, time.GetElapsedTime(started).TotalMilliseconds, loaded.Report.ObjectStoreBytes, loaded.Report.NvmeBytes, loaded.Report.HostBytes);
            return loaded;
        }
        catch (Exception fault)
        {
            ModelLog.NotLoaded(logger, name, fault.Message);
            lock (_lock)
            {
                if (_models.TryGetValue(name, out var current) && current == model)
                {
                    _models.Remove(name);
                }
            }

            // Nothing of it is on the device: who comes next need not wait for this one's last asker.
            model.Room.Dispose();
            throw;
        }
        finally
        {
            model.LastUsed = time.GetTimestamp();
            changes.Tell();
        }
    }

    private void Release(Resident model)
    {
        lock (_lock)
        {
            model.LastUsed = time.GetTimestamp();
            model.Room.Release();
            if (--model.Holders == 0 && model.IsRetired)
            {
                _ending.RemoveAll(static task => task.IsCompleted);
                _ending.Add(EndAsync(model));
            }
        }
    }

    /// <summary>Called under the lock.</summary>
    private void Retire(Resident model)
    {
        model.IsRetired = true;
        model.Room.Leave();
        if (model.Holders == 0)
        {
            _ending.RemoveAll(static task => task.IsCompleted);
            _ending.Add(EndAsync(model));
        }
    }

    /// <summary>Takes device memory, for which idle models leave. Called under the lock.</summary>
    private DeviceRoom Reserve(Resident model)
    {
        try
        {
            return loader.Arena.Reserve(model.Manifest.Name, model.Bytes, newcomer =>
            {
                // On this very thread, under the lock of whoever asks for the newcomer.
                ModelLog.Evicted(logger, model.Manifest.Name, newcomer);
                if (_models.TryGetValue(model.Manifest.Name, out var current) && current == model)
                {
                    _models.Remove(model.Manifest.Name);
                }

                Retire(model);
            });
        }
        catch (DeviceMemoryException fault)
        {
            throw new EngineException(fault.IsFinal ? ErrorCodes.StorageFull : ErrorCodes.TooManyRequests, $"{node.Name}: {fault.Message}", fault);
        }
    }

    private static async Task EndAsync(Resident model)
    {
        try
        {
            var loaded = await model.Load;
            await loaded.Engine.DisposeAsync();
            model.Room.Dispose();
        }
        catch (Exception) when (model.Load.IsFaulted || model.Load.IsCanceled)
        {
            // It never came to life; its askers have the reason.
        }
    }

    private TimeSpan? ReadyIn(Resident model) => !model.Load.IsCompleted && model.Expected is { } expected ? Elapsed(time.GetTimestamp(), model.LoadingSince + (long)(expected.TotalSeconds * time.TimestampFrequency)) : null;

    private TimeSpan Elapsed(long from, long to) => to > from ? time.GetElapsedTime(from, to) : TimeSpan.Zero;

    private sealed class Resident(ModelManifest manifest)
    {
        public ModelManifest Manifest => manifest;

        public long Bytes { get; } = manifest.LengthBytes;

        public Task<LoadedModel> Load { get; set; } = null!;

        /// <summary>How long the load was expected to take, when it began.</summary>
        public TimeSpan? Expected { get; set; }

        public long LoadingSince { get; set; }

        public int Holders { get; set; }

        public bool IsRetired { get; set; }

        public long LastUsed { get; set; }

        /// <summary>Its share of the device.</summary>
        public DeviceRoom Room { get; set; } = null!;

        public bool IsVersion(ModelManifest other) => manifest.Files.SequenceEqual(other.Files);
    }
}
