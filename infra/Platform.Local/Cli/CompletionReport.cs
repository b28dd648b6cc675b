using System.Globalization;
using Platform.Jobs;

namespace Platform.Local.Cli;

/// <summary>What one completion cost: filled in while it streams.</summary>
internal sealed class CompletionReport
{
    /// <summary>From the request to the last byte.</summary>
    public TimeSpan Total { get; private set; }

    /// <summary>Phases in the order of <see cref="ServerTiming.Phases"/>; a phase that the reply does not name took no time.</summary>
    public IReadOnlyDictionary<string, TimeSpan> Phases { get; private set; } = new Dictionary<string, TimeSpan>();

    /// <summary>Bytes that this call waited for from object storage.</summary>
    public long ObjectStoreBytes { get; private set; }

    /// <summary>Bytes that this call waited for from the NVMe tier.</summary>
    public long NvmeBytes { get; private set; }

    /// <summary>Who answered.</summary>
    public string Worker { get; private set; } = "";

    /// <summary>Tokens made, by the worker's count.</summary>
    public int Tokens { get; set; }

    /// <summary>Takes what the reply's headers say.</summary>
    public void ReadHeaders(HttpResponseMessage answer)
    {
        Phases = ServerTiming.Parse(Header(answer, ServerTiming.Header));
        ObjectStoreBytes = Bytes(answer, Routes.ObjectStoreBytesHeader);
        NvmeBytes = Bytes(answer, Routes.NvmeBytesHeader);
        Worker = Header(answer, Routes.WorkerHeader) ?? "";
    }

    /// <summary>The stream came to its end.</summary>
    public void Done(TimeSpan total) => Total = total;

    private static string? Header(HttpResponseMessage answer, string name) => answer.Headers.TryGetValues(name, out var values) ? string.Join(", ", values) : null;

    // A missing figure must not read as a good one.
    private static long Bytes(HttpResponseMessage answer, string name) =>
        long.TryParse(Header(answer, name), CultureInfo.InvariantCulture, out var bytes) ? bytes : throw new PlatformException($"The reply has no header '{name}': the platform behind it is older than this program.");
}
