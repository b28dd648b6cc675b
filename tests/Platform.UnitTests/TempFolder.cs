namespace Platform.UnitTests;

/// <summary>A new folder under the system's temporary one, deleted with all in it at the end.</summary>
internal sealed class TempFolder : IDisposable
{
    public TempFolder() => Path = Directory.CreateTempSubdirectory("platform-test-").FullName;

    public string Path { get; }

    /// <summary>A path in the folder; nothing is created.</summary>
    public string this[string name] => System.IO.Path.Combine(Path, name);

    public void Dispose() => Directory.Delete(Path, recursive: true);
}
