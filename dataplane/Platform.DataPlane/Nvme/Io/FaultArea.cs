namespace Platform.DataPlane.Nvme.Io;

/// <summary>Names of the points at which a test may fail the work of one kind of file, or end the process: <c>{area}.{operation}</c>. All there are, are declared here.</summary>
internal sealed class FaultArea
{
    private readonly string _name;
    private readonly string[] _points;

    private FaultArea(string name, params string[] operations)
    {
        _name = name;
        _points = [.. operations.Select(operation => $"{name}.{operation}")];
    }

    /// <summary>Files of blobs.</summary>
    public static FaultArea Blob { get; } = new("blob", "read", "write", "sync", "allocate", "cut", "delete");

    /// <summary>Copying a blob to object storage.</summary>
    public static FaultArea Upload { get; } = new("upload", "begun", "part", "complete", "abort");

    /// <summary>Segments of a log.</summary>
    public static FaultArea Log { get; } = new("log", "read", "write", "sync");

    /// <summary>The record of what counts of a log.</summary>
    public static FaultArea Commit { get; } = new("commit", "write", "sync");

    /// <summary>Segments of the block store.</summary>
    public static FaultArea Blocks { get; } = new("blocks", "read", "write", "sync", "allocate");

    /// <summary>The record of which checkpoint of the block store counts.</summary>
    public static FaultArea BlockCommit { get; } = new("block-commit", "write", "sync");

    /// <summary>Every name.</summary>
    public static IReadOnlyList<string> AllPoints { get; } = [.. new[] { Blob, Upload, Log, Commit, Blocks, BlockCommit }.SelectMany(area => area._points)];

    public string Read => this["read"];

    public string Write => this["write"];

    public string Sync => this["sync"];

    public string Allocate => this["allocate"];

    public string Cut => this["cut"];

    /// <summary>The name for an operation.</summary>
    /// <exception cref="InvalidOperationException">It is not declared, so no test would know of it.</exception>
    public string this[string operation]
    {
        get
        {
            foreach (var point in _points)
            {
                if (point.Length == _name.Length + 1 + operation.Length && point.EndsWith(operation, StringComparison.Ordinal))
                {
                    return point;
                }
            }

            throw new InvalidOperationException($"'{_name}.{operation}' is not declared in {nameof(FaultArea)}.");
        }
    }
}
