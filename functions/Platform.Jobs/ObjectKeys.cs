namespace Platform.Jobs;

/// <summary>Where things lie in object storage, and which keys are keys at all.</summary>
public static class ObjectKeys
{
    /// <summary>What a key may be, for error messages.</summary>
    public const string Rule = "1 to 512 of A-Z a-z 0-9 / . _ - =, no empty, '.' or '..' segment, no slash at the ends";

    /// <summary>Folder of a model's files: <c>models/{model}/</c>.</summary>
    public static string ModelFolder(string model) => $"models/{model}/";

    /// <summary>A file of a model: <c>models/{model}/{file}</c>.</summary>
    public static string ModelFile(string model, string file) => $"models/{model}/{file}";

    /// <summary>Finished items of a job, <c>jobs/{id}/parts/</c>: what a later attempt need not do again.</summary>
    public static string JobParts(string jobId) => $"jobs/{jobId}/parts/";

    /// <summary>Results written by the attempt with this fencing token; visible only once the job's state names them.</summary>
    public static string JobResults(string jobId, long token) => $"jobs/{jobId}/results-{token}.jsonl";

    /// <summary>Everything of a job: <c>jobs/{id}/</c>.</summary>
    public static string JobFolder(string jobId) => $"jobs/{jobId}/";

    /// <summary>Output files written by the attempt with this fencing token; visible only once the job's state names the folder.</summary>
    public static string JobOutput(string jobId, long token) => $"jobs/{jobId}/output-{token}/";

    /// <summary>What an attempt leaves for the next one: <c>jobs/{id}/checkpoint/</c>.</summary>
    public static string JobCheckpoint(string jobId) => $"jobs/{jobId}/checkpoint/";

    /// <summary>The kept log of one attempt.</summary>
    public static string JobLog(string jobId, int attempt) => $"jobs/{jobId}/logs/{attempt}.log";

    /// <summary>True if <paramref name="key"/> is a legal key.</summary>
    public static bool IsValid(string? key)
    {
        if (string.IsNullOrEmpty(key) || key.Length > 512)
        {
            return false;
        }

        foreach (var segment in key.Split('/'))
        {
            if (segment is "" or "." or ".." || !segment.All(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '_' or '-' or '='))
            {
                return false;
            }
        }

        return true;
    }
}
