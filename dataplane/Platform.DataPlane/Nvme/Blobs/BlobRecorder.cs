using System.Buffers.Binary;

namespace Platform.DataPlane.Nvme.Blobs;

/// <summary>Makes a blob's chunks durable and records them in the catalog; the last time round it seals the blob.</summary>
/// <remarks>One recording at a time, so chunks that land meanwhile share the next sync.</remarks>
internal sealed class BlobRecorder : IDisposable
{
    // So much at most, and what is being written, is fetched again after a crash. Decision 7 has what a larger number would save: nothing.
    private const long RecordBytes = 8 << 20;

    private readonly TierEnvironment _tier;
    private readonly Blob _blob;
    private readonly List<int> _unrecorded = [];
    private TaskCompletionSource _sealed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private Task _recording = Task.CompletedTask;
    private readonly SemaphoreSlim _turn = new(1);
    private bool _recordingRuns;
    private volatile bool _closed;

    public BlobRecorder(TierEnvironment tier, Blob blob)
    {
        _tier = tier;
        _blob = blob;
        if (blob.Record.Crcs is not null)
        {
            _sealed.SetResult();
        }
    }

    /// <summary>Completes when the blob is whole and its record says so.</summary>
    public Task Sealed => _sealed.Task;

    /// <summary>True while the blob is being removed or replaced: nothing about it is noted any more, unless that fails.</summary>
    public bool IsClosed => _closed;

    private bool NeedsSeal => _blob.Chunks.IsWhole && _blob.Record.Crcs is null;

    private bool IsDue => _blob.Chunks.IsWhole || _blob.Chunks.OnTheirWay == 0 || (long)_unrecorded.Count * _blob.Layout.ChunkBytes >= RecordBytes;

    /// <summary>Takes note of a chunk that was written. Under the chunks' gate.</summary>
    public void Landed(int index)
    {
        if (_blob.Record.Crcs is not null)
        {
            // A damaged chunk of a sealed blob was replaced by the same bytes; its record stands.
            return;
        }

        _unrecorded.Add(index);
        Settle();
    }

    /// <summary>Starts to record if it is worth a sync: enough has landed, or nothing more is on its way. Under the chunks' gate.</summary>
    public void Settle() => StartIfDue(force: false);

    /// <summary>Seals a blob whose chunks are all here, if nobody does so already: they were recorded before a restart, or an earlier try failed.</summary>
    /// <returns>Completes when the blob is sealed; fails if this try does.</returns>
    public Task SealIfWhole()
    {
        lock (_blob.Chunks.Gate)
        {
            if (NeedsSeal && !_recordingRuns)
            {
                _recordingRuns = true;
                _recording = Task.Run(RecordAsync);
            }

            return _sealed.Task;
        }
    }

    /// <summary>Seals a blob whose chunks are all written, together with other writes to the catalog.</summary>
    public async Task SealAsync(IReadOnlyList<DurableWrite> alsoCommit)
    {
        _blob.File.SetLength(_blob.Layout.LengthBytes);
        await _blob.File.SyncAsync();
        await RecordAsync(
            record => record with { Crcs = _blob.Chunks.Crcs },
            record => [new(BlobLayout.RecordKey(record.Id), record.Write()), .. _tier.Catalog.Keys(BlobLayout.ChunkPrefix(record.Id)).Select(key => new DurableWrite(key, null)), .. alsoCommit]);
        _sealed.TrySetResult();
        NvmeLog.Sealed(_tier.Logger, _blob.Key, _blob.Record.LengthBytes);
    }

    /// <summary>Notes that an object holds a copy now.</summary>
    public Task ReplicateAsync(string objectKey, string etag) => RecordAsync(
        record => record with { ObjectKey = objectKey, ETag = etag, Durability = Tiering.Durability.Replicated },
        record => [new(BlobLayout.RecordKey(record.Id), record.Write()), .. _tier.Catalog.TryGet(BlobLayout.UploadKey(record.Id), out _) ? BlobLayout.UploadWrites(_tier.Catalog, record.Id) : []]);

    /// <summary>Notes something else about the blob in the catalog.</summary>
    public Task NoteAsync(IReadOnlyList<DurableWrite> writes) => RecordAsync(record => record, _ => writes);

    /// <summary>Ends the recording: what is under way is waited for, and nothing of the blob gets into the catalog any more, so that nothing comes back after its removal.</summary>
    public async Task CloseAsync()
    {
        await _turn.WaitAsync();
        _closed = true;
        _turn.Release();
    }

    public void Dispose() => _turn.Dispose();

    /// <summary>Takes <see cref="CloseAsync"/> back.</summary>
    public void Reopen() => _closed = false;

    /// <summary>Records what has landed and waits for it.</summary>
    public async Task QuiesceAsync()
    {
        lock (_blob.Chunks.Gate)
        {
            StartIfDue(force: true);
        }

        await _recording.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    private void StartIfDue(bool force)
    {
        if (_unrecorded.Count > 0 && !_recordingRuns && (force || IsDue))
        {
            _recordingRuns = true;
            _recording = Task.Run(RecordAsync);
        }
    }

    private async Task RecordAsync()
    {
        while (true)
        {
            int[] chunks;
            bool whole;
            lock (_blob.Chunks.Gate)
            {
                if (!NeedsSeal && (_unrecorded.Count == 0 || !IsDue))
                {
                    _recordingRuns = false;
                    return;
                }

                chunks = [.. _unrecorded];
                _unrecorded.Clear();
                whole = _blob.Chunks.IsWhole;
            }

            try
            {
                if (whole)
                {
                    await SealAsync([]);
                }
                else
                {
                    await _blob.File.SyncAsync();
                    await RecordAsync(record => record, record => [.. chunks.Select(index => new DurableWrite(BlobLayout.ChunkKey(record.Id, index), CrcBytes(_blob.Chunks.Crcs[index])))]);
                }
            }
            catch (Exception cause) when (cause is IOException or ObjectDisposedException)
            {
                NvmeLog.ProgressNotRecorded(_tier.Logger, _blob.Key, cause.Message);
                GiveUp(chunks, cause);
                return;
            }
        }
    }

    /// <summary>Changes the record and the catalog together, one at a time; only the record once the blob's recording has ended.</summary>
    private async Task RecordAsync(Func<BlobRecord, BlobRecord> change, Func<BlobRecord, IReadOnlyList<DurableWrite>> writesOf)
    {
        await _turn.WaitAsync();
        try
        {
            var record = change(_blob.Record);
            if (!_closed)
            {
                await _tier.Catalog.CommitAsync(writesOf(record));
            }

            _blob.Record = record;
        }
        finally
        {
            _turn.Release();
        }
    }

    /// <summary>Keeps what could not be recorded for the next try, which the next chunk or the next who wants the blob whole begins; tells those who waited for this one.</summary>
    private void GiveUp(int[] chunks, Exception cause)
    {
        TaskCompletionSource waiting;
        lock (_blob.Chunks.Gate)
        {
            _unrecorded.AddRange(chunks);
            _recordingRuns = false;
            waiting = _sealed;
            _sealed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        }

        waiting.TrySetException(StorageException.From(cause, $"Blob '{_blob.Key}' cannot be sealed"));
        _ = waiting.Task.Exception;
    }

    private static byte[] CrcBytes(uint crc)
    {
        var bytes = new byte[4];
        BinaryPrimitives.WriteUInt32LittleEndian(bytes, crc);
        return bytes;
    }
}
