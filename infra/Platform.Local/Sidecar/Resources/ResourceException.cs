namespace Platform.Local.Sidecar.Resources;

/// <summary>A resource file says something that cannot be honoured.</summary>
internal class ResourceException(string file, long line, string message) : Exception($"{file}({line}): {message}")
{
    public string File => file;

    public long Line => line;
}

/// <summary>A file is no YAML at all.</summary>
internal sealed class YamlFileException(string file, long line, string message) : ResourceException(file, line, message);
