namespace Platform.Local.Sidecar.Resources;

/// <summary>A resource file says something that cannot be honoured.</summary>
internal sealed class ResourceException(string file, long line, string message) : Exception($"{file}({line}): {message}")
{
    public string File => file;

    public long Line => line;
}
