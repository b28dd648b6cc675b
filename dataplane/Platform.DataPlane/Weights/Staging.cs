using System.Collections.Concurrent;
using System.Collections.Immutable;
using Platform.DataPlane.DeviceMemory;
using Platform.DataPlane.HostMemory;
using Platform.DataPlane.Nvme;
using Platform.DataPlane.ObjectStorage;

namespace Platform.DataPlane.Weights;

/// <summary>One model on its way into memory, or there; shared by everybody who staged it at the same time.</summary>
internal sealed class Staging : IAsyncDisposable
{
    private readonly ModelFiles _model;
    private readonly NvmeTier _tier;
    private readonly ModelStagerOptions _options;
    private readonly StagingSpeeds _speeds;
    private readonly KnownHeaders _headers;
    private readonly StagingClock _clock;
    private readonly ObjectStorageCounters _counters = new();
    private readonly CountingObjectStorage _storage;
    private readonly CancellationTokenSource _stop = new();
    private readonly SmallFiles _smallFiles;
    private readonly Lock _telling = new();
    private readonly List<StagedFile> _files = [];
    private readonly ConcurrentBag<BlobLease> _leases = [];
    private readonly HostImages? _images;
    private readonly DeviceRoom? _room;
    private readonly string _key;
    private HostImage? _image;
    private ICopyStream? _stream;
    private AlignedBufferPool? _ring;
    private long _hostBytes;
    private StagedTensors? _tensors;
    private Task _small = Task.CompletedTask;
    private Task _completion = Task.CompletedTask;
    private Task _keeping = Task.CompletedTask;
    private long _landed;
    private ImmutableArray<IProgress<StagingReport>> _watchers = [];

    /// <summary>Begins.</summary>
    /// <param name="key">The model's version.</param>
    /// <param name="model">Its files.</param>
    /// <param name="tier">Where they come through.</param>
    /// <param name="options">Bounds.</param>
    /// <param name="time">The clock.</param>
    /// <param name="speeds">Learns from this load.</param>
    /// <param name="headers">Learns the headers of its files.</param>
    /// <param name="room">Device memory to go on to; null to stay in host memory.</param>
    /// <param name="images">Keeps a copy in host memory on the way to a device.</param>
    public Staging(string key, ModelFiles model, NvmeTier tier, ModelStagerOptions options, TimeProvider time, StagingSpeeds speeds, KnownHeaders headers, DeviceRoom? room = null, HostImages? images = null)
    {
        _key = key;
        _room = room;
        _images = images;
        _model = model;
        _tier = tier;
        _options = options;
        _speeds = speeds;
        _headers = headers;
        _clock = new StagingClock(time);
        _storage = new CountingObjectStorage(model.Storage, _counters);
        _smallFiles = new SmallFiles(options.MaxSmallFileBytes);
        Opening = OpenAsync();
    }

    /// <summary>Completes when the tensors are known and the small files are in memory.</summary>
    public Task Opening { get; }

    /// <summary>Handles that share this. Under the stager's gate.</summary>
    public int Users { get; set; }

    /// <summary>True if it will never be whole.</summary>
    public bool HasFailed => Opening.IsFaulted || Opening.IsCanceled || _completion.IsFaulted || _completion.IsCanceled;

    public Task Completion => _completion;

    public ITensorSource Tensors => _tensors!;

    /// <summary>Waits until a tensor is on the device.</summary>
    public Task<DeviceTensor> OnDeviceAsync(string name, CancellationToken cancellationToken) => _tensors!.OnDeviceAsync(name, cancellationToken);

    public ReadOnlyMemory<byte>? File(string name) => _smallFiles.Find(name);

    public StagingReport Report => new(
        _counters.BytesRead,
        _counters.Gets,
        _leases.Sum(lease => lease.NvmeBytes),
        Interlocked.Read(ref _hostBytes),
        _files.Sum(file => file.Device?.Buffer.LengthBytes ?? 0),
        _model.Files.Sum(file => file.LengthBytes),
        Interlocked.Read(ref _landed),
        _tensors?.Tensors.Count ?? 0,
        _tensors?.ReadyTensors ?? 0,
        _clock.Opened,
        _clock.FirstTensor,
        _clock.Completed);

    /// <summary>Has somebody told after every chunk.</summary>
    public void Watch(IProgress<StagingReport> watcher) => ImmutableInterlocked.Update(ref _watchers, watchers => watchers.Add(watcher));

    /// <summary>Stops what is under way and frees the memory.</summary>
    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await Opening.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await _small.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await _completion.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await _keeping.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await CloseLeasesAsync();
        if (_tensors is not null)
        {
            await _tensors.DisposeAsync();
        }

        // No copy is under way any more: each was awaited by who asked for it.
        _stream?.Dispose();
        _ring?.Dispose();
        ReleaseImage();
        _files.ForEach(file => file.Dispose());
        _stop.Dispose();
    }

    private async Task OpenAsync()
    {
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        _model.Check();
        if (_room is not null)
        {
            await _room.Granted.WaitAsync(_stop.Token);
            _stream = _room.Accelerator.OpenStream();
            _image = _images?.Take(_key, _model);
        }

        foreach (var source in _model.Weights)
        {
            _files.Add(await OpenFileAsync(source));
        }

        // Beside headers and tensors: nothing of a tensor is in them.
        _small = ReadSmallFilesAsync();
        var headers = await ReadHeadersAsync();
        foreach (var file in headers)
        {
            if (_room is not null && file.Header.FileLengthBytes > file.Header.DataOffsetBytes)
            {
                file.File.PlaceOn(DevicePlace.Take(_room, file.Header, _stream!, _ring!));
            }
        }

        _tensors = new StagedTensors(_model.Model, headers);
        foreach (var file in headers)
        {
            for (var chunk = 0; chunk < file.LandedChunks; chunk++)
            {
                Landed(new PlannedChunk(file.File, chunk), file.File.LengthOf(chunk));
            }
        }

        _completion = StageAsync(_tensors.Plan());
        await _small;
        if (File(SafetensorsIndex.FileName) is { } index)
        {
            SafetensorsIndex.Parse(index).Check([.. headers.Select(static file => file.Header)]);
        }

        _clock.MarkOpened();
    }

    private async Task ReadSmallFilesAsync()
    {
        var isAwake = IsAwake;
        var bytes = await _smallFiles.ReadAsync(_model, _image, isAwake, LeaseAsync, _stop.Token);
        Interlocked.Add(ref _landed, bytes);
        Interlocked.Add(ref _hostBytes, isAwake ? bytes : 0);
    }

    /// <summary>Takes every header from memory or from its file.</summary>
    private async Task<OpenedFile[]> ReadHeadersAsync()
    {
        // Side by side: each waits for the disk, and nothing can be planned before the last is there.
        using var turns = new SemaphoreSlim(_options.Parallelism);
        var headers = _files.Select(async file =>
        {
            if (_headers.Find(file.Source) is { } known)
            {
                return new OpenedFile(file, known, 0);
            }

            await turns.WaitAsync(_stop.Token);
            try
            {
                var opened = await file.ReadHeaderAsync(_stop.Token);
                _headers.Add(file.Source, opened.Header);
                return _room is null ? opened : opened with { LandedChunks = 0 };
            }
            finally
            {
                turns.Release();
            }
        }).ToList();
        return await Task.WhenAll(headers);
    }

    private bool IsAwake => _image is { IsWhole: true };

    private async Task<StagedFile> OpenFileAsync(ModelFileSource source)
    {
        if (_room is null)
        {
            return new StagedFile(source, await LeaseAsync(source));
        }

        var lease = IsAwake ? null : await LeaseAsync(source);
        var chunk = lease?.ChunkBytes ?? _options.WakeChunkBytes;

        // One ring for all files: that is the bound of what is on its way without a place of its own.
        _ring ??= new AlignedBufferPool(chunk, _options.Parallelism, _room.Accelerator.AllocatePinned);
        return new StagedFile(source, lease, chunk, _image?.Of(source.Name), IsAwake);
    }

    private async Task<BlobLease> LeaseAsync(ModelFileSource file)
    {
        var lease = await _tier.OpenAsync(new BlobSource(file.ObjectKey, _storage, file.ObjectKey, file.LengthBytes, file.ETag), _stop.Token);
        _leases.Add(lease);
        return lease;
    }

    private async Task StageAsync(List<PlannedChunk> plan)
    {
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        try
        {
            await Task.WhenAll(StagingPlan.RunAsync(plan, _options.Parallelism, Landed, _stop.Token), _small);
            _clock.MarkCompleted();
            _speeds.Learn(Report);
            Tell();
            _keeping = KeepAsync();
        }
        catch (Exception cause)
        {
            _tensors!.Fail(cause);
            ReleaseImage();
            throw;
        }
        finally
        {
            // The bytes are where they go: the tier may have its room back.
            await CloseLeasesAsync();
        }
    }

    /// <summary>Makes the image whole, after the load: who waits for the tensors does not wait for a copy of them that may be wanted some day.</summary>
    private async Task KeepAsync()
    {
        try
        {
            foreach (var file in _files)
            {
                await file.KeepAsync();
            }

            _image?.IsWhole = true;
        }
        finally
        {
            ReleaseImage();
        }
    }

    /// <summary>From here on the image belongs to the store, which may drop it.</summary>
    private void ReleaseImage()
    {
        if (Interlocked.Exchange(ref _image, null) is { } image)
        {
            _images!.Release(image);
        }
    }

    private void Landed(PlannedChunk chunk, int bytes)
    {
        Interlocked.Add(ref _hostBytes, IsAwake ? bytes : 0);
        _tensors!.Land(chunk);
        Interlocked.Add(ref _landed, bytes);
        if (_tensors.ReadyTensors > 0)
        {
            _clock.MarkFirstTensor();
        }

        Tell();
    }

    private void Tell()
    {
        if (_watchers.IsEmpty)
        {
            return;
        }

        // One at a time: who watches sees no report after a later one.
        lock (_telling)
        {
            var report = Report;
            foreach (var watcher in _watchers)
            {
                watcher.Report(report);
            }
        }
    }

    private async Task CloseLeasesAsync()
    {
        foreach (var lease in _leases)
        {
            await lease.DisposeAsync();
        }
    }
}
