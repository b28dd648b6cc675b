using Platform.DataPlane.DeviceMemory;
using Platform.DataPlane.Nvme;

namespace Platform.DataPlane.Weights;

/// <summary>Brings models from object storage through the NVMe tier into aligned memory, and on to a device, all stages at once.</summary>
/// <remarks>Thread-safe. Loads of the same version of a model that overlap in time are one load.</remarks>
public sealed class ModelStager
{
    private readonly NvmeTier _tier;
    private readonly ModelStagerOptions _options;
    private readonly TimeProvider _time;
    private readonly HostImages? _images;
    private readonly Lock _gate = new();
    private readonly StagingSpeeds _speeds = new();
    private readonly KnownHeaders _headers = new();
    private readonly Dictionary<string, Staging> _stagings = new(StringComparer.Ordinal);

    /// <summary>Makes a stager over a tier, which it does not own.</summary>
    /// <param name="tier">Where everything comes through.</param>
    /// <param name="options">Bounds.</param>
    /// <param name="time">The clock of reports and estimates.</param>
    /// <param name="images">Where models on devices leave a copy in host memory, to come back from; null for nowhere. Not owned.</param>
    public ModelStager(NvmeTier tier, ModelStagerOptions? options = null, TimeProvider? time = null, HostImages? images = null)
    {
        _tier = tier;
        _images = images;
        _options = options ?? new ModelStagerOptions();
        ArgumentOutOfRangeException.ThrowIfLessThan(_options.Parallelism, 1, nameof(options));
        _time = time ?? TimeProvider.System;
    }

    /// <summary>Starts to bring a model in.</summary>
    /// <param name="files">The model.</param>
    /// <param name="progress">Told after every chunk, from any thread; must return at once.</param>
    /// <param name="cancellationToken">Ends the waiting; the load goes on for others that share it and stops otherwise.</param>
    /// <returns>The model, once its small files and the list of its tensors are in memory; the tensors follow.</returns>
    /// <exception cref="WeightsException">A file is missing or is not what it should be.</exception>
    /// <exception cref="StorageException">A file cannot be read: not found, changed, truncated, damaged, no room in the tier. The message names the object.</exception>
    public async Task<StagedModel> StageAsync(ModelFiles files, IProgress<StagingReport>? progress = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(files);
        var key = KeyOf(files);
        Staging? staging;
        lock (_gate)
        {
            if (!_stagings.TryGetValue(key, out staging) || staging.HasFailed)
            {
                staging = new Staging(key, files, _tier, _options, _time, _speeds, _headers);
                _stagings[key] = staging;
            }

            staging.Users++;
        }

        if (progress is not null)
        {
            staging.Watch(progress);
        }

        try
        {
            await staging.Opening.WaitAsync(cancellationToken);
            return new StagedModel(this, staging);
        }
        catch
        {
            await ReleaseAsync(staging);
            throw;
        }
    }

    /// <summary>Starts to bring a model into device memory: through pinned host memory, a bounded piece at a time, each chunk on its way to the device while the next are being read.</summary>
    /// <param name="files">The model.</param>
    /// <param name="room">Its share of the device, at least as large as the files. The caller's: dispose it after the model.</param>
    /// <param name="progress">Told after every chunk, from any thread; must return at once.</param>
    /// <param name="cancellationToken">Stops the load.</param>
    /// <returns>The model, once its small files and the list of its tensors are in memory; the tensors follow. They can be read by the processor if the device is host memory.</returns>
    /// <exception cref="WeightsException">A file is missing or is not what it should be.</exception>
    /// <exception cref="StorageException">A file cannot be read.</exception>
    /// <exception cref="DeviceMemoryException">The room or the device has not enough.</exception>
    public async Task<StagedModel> StageAsync(ModelFiles files, DeviceRoom room, IProgress<StagingReport>? progress = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(files);
        ArgumentNullException.ThrowIfNull(room);

        // Not shared: the memory belongs to this room. Chunks and host image are shared below.
        var staging = new Staging(KeyOf(files), files, _tier, _options, _time, _speeds, _headers, room, _images) { Users = 1 };
        if (progress is not null)
        {
            staging.Watch(progress);
        }

        try
        {
            await staging.Opening.WaitAsync(cancellationToken);
            return new StagedModel(this, staging);
        }
        catch
        {
            await ReleaseAsync(staging);
            throw;
        }
    }

    /// <summary>Says what a load of a model would move from where, and how long it would take. Reads nothing.</summary>
    public StagingEstimate Estimate(ModelFiles files)
    {
        ArgumentNullException.ThrowIfNull(files);
        lock (_gate)
        {
            if (_stagings.TryGetValue(KeyOf(files), out var staging) && !staging.HasFailed)
            {
                var report = staging.Report;
                return new StagingEstimate(0, 0, report.LandedBytes, _speeds.PredictRest(report));
            }
        }

        var total = files.Files.Sum(file => file.LengthBytes);
        if (_images?.Has(KeyOf(files)) == true)
        {
            return new StagingEstimate(0, 0, total, _speeds.PredictWake(total));
        }

        var here = files.Files.Sum(file => _tier.LandedBytesOf(file.ObjectKey, file.ETag));
        return new StagingEstimate(total - here, here, 0, _speeds.Predict(total - here, here));
    }

    internal async Task ReleaseAsync(Staging staging)
    {
        lock (_gate)
        {
            if (--staging.Users > 0)
            {
                return;
            }

            foreach (var (key, value) in _stagings)
            {
                if (value == staging)
                {
                    _stagings.Remove(key);
                    break;
                }
            }
        }

        await staging.DisposeAsync();
    }

    private static string KeyOf(ModelFiles files) =>
        string.Join('\n', files.Files.Select(file => $"{file.ObjectKey} {file.LengthBytes} {file.ETag}").Prepend(files.Storage.Name).Prepend(files.Model));
}
