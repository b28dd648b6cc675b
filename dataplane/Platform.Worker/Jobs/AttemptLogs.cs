using Microsoft.Extensions.Options;
using Platform.DataPlane;
using Platform.DataPlane.ObjectStorage;
using Platform.Jobs;

namespace Platform.Worker.Jobs;

/// <summary>Logs of attempts: in the node's folder while the attempt runs, in object storage for good.</summary>
internal sealed class AttemptLogs(WorkerNode node, IObjectStorage storage, TimeProvider time, IOptions<WorkerOptions> options, ILogger<AttemptLogs> logger)
{
    private const int MaxReadBytes = 1 << 20;

    public AttemptLog Create(string jobId, int attempt) => new(PathOf(jobId, attempt), options.Value.MaxLogBytes, time);

    /// <summary>Moves a closed log to object storage. On failure it stays here and is moved at the next start.</summary>
    public async Task KeepAsync(string jobId, int attempt, CancellationToken cancellationToken)
    {
        var path = PathOf(jobId, attempt);
        try
        {
            await using (var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete))
            {
                await storage.PutAsync(ObjectKeys.JobLog(jobId, attempt), file, default, cancellationToken);
            }

            File.Delete(path);
            if (!Directory.EnumerateFileSystemEntries(Path.GetDirectoryName(path)!).Any())
            {
                Directory.Delete(Path.GetDirectoryName(path)!);
            }
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            JobLog.LogNotKept(logger, jobId, attempt, fault.Message);
        }
    }

    /// <summary>Moves the logs that a killed process left here.</summary>
    public async Task KeepLeftOversAsync(CancellationToken cancellationToken)
    {
        if (!Directory.Exists(node.JobsFolder))
        {
            return;
        }

        foreach (var path in Directory.GetFiles(node.JobsFolder, "*.log", SearchOption.AllDirectories))
        {
            if (int.TryParse(Path.GetFileNameWithoutExtension(path), out var attempt) && Path.GetFileName(Path.GetDirectoryName(path)) is { } jobId && Names.IsJobId(jobId))
            {
                await KeepAsync(jobId, attempt, cancellationToken);
            }
        }
    }

    /// <summary>Reads a log from an offset, at most 1 MiB at once, from here or from object storage; null if there is none.</summary>
    public async Task<byte[]?> ReadAsync(string jobId, int attempt, long offset, CancellationToken cancellationToken)
    {
        try
        {
            await using var file = new FileStream(PathOf(jobId, attempt), FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            var bytes = new byte[Math.Clamp(file.Length - offset, 0, MaxReadBytes)];
            file.Seek(Math.Min(offset, file.Length), SeekOrigin.Begin);
            await file.ReadExactlyAsync(bytes, cancellationToken);
            return bytes;
        }
        catch (Exception fault) when (fault is FileNotFoundException or DirectoryNotFoundException)
        {
            return await ReadKeptAsync(ObjectKeys.JobLog(jobId, attempt), offset, cancellationToken);
        }
    }

    private async Task<byte[]?> ReadKeptAsync(string key, long offset, CancellationToken cancellationToken)
    {
        if (await storage.HeadAsync(key, cancellationToken) is not { } found)
        {
            return null;
        }

        var bytes = new byte[Math.Clamp(found.LengthBytes - offset, 0, MaxReadBytes)];
        if (bytes.Length > 0)
        {
            await storage.ReadAsync(key, offset, bytes, null, cancellationToken);
        }

        return bytes;
    }

    private string PathOf(string jobId, int attempt) => Names.IsJobId(jobId)
        ? Path.Combine(node.JobsFolder, jobId, $"{attempt}.log")
        : throw new StorageException(StorageError.InvalidKey, $"'{jobId}' is not a job id; expected {Names.JobIdRule}.");
}
