using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Platform.Local.FunctionsHost.Keys;

/// <summary>The keys of an app: one master key, host-wide function and system keys, and each function's own.</summary>
internal sealed class HostKeys
{
    /// <summary>Name under which the management API shows the master key.</summary>
    public const string Master = "_master";

    private readonly string _path;
    private readonly Lock _lock = new();
    private readonly KeyFile _file;

    private HostKeys(string path, KeyFile file)
    {
        _path = path;
        _file = file;
    }

    public string MasterKey
    {
        get
        {
            lock (_lock)
            {
                return _file.MasterKey;
            }
        }
    }

    /// <summary>Reads the keys, or makes a first set: the master key and a host-wide function key <c>default</c>.</summary>
    /// <exception cref="FunctionAppException">The file is damaged.</exception>
    public static HostKeys Load(string path)
    {
        if (File.Exists(path))
        {
            try
            {
                return new HostKeys(path, Checked(JsonSerializer.Deserialize(File.ReadAllBytes(path), KeyJson.Default.KeyFile)));
            }
            catch (Exception exception) when (exception is JsonException or ArgumentException or InvalidOperationException)
            {
                throw new FunctionAppException($"The key file {path} cannot be read: {exception.Message}. Mend it, or delete it to get new keys.", exception);
            }
        }

        var keys = new HostKeys(path, new KeyFile { MasterKey = NewKey(), FunctionKeys = { ["default"] = NewKey() } });
        keys.Save();
        return keys;
    }

    /// <summary>An empty key would let in everybody who shows none.</summary>
    private static KeyFile Checked(KeyFile? file)
    {
        if (file is null)
        {
            throw new JsonException("found null.");
        }

        foreach (var (function, keys) in file.Functions)
        {
            file.Functions[function] = new Dictionary<string, string>(keys ?? throw new JsonException($"Functions.{function} is null."), StringComparer.OrdinalIgnoreCase);
        }

        var all = file.FunctionKeys.Concat(file.SystemKeys).Concat(file.Functions.Values.SelectMany(keys => keys)).Prepend(KeyValuePair.Create(nameof(KeyFile.MasterKey), file.MasterKey));
        return all.FirstOrDefault(key => string.IsNullOrEmpty(key.Value)) is { Key: { } empty } ? throw new JsonException($"the key '{empty}' is empty.") : file;
    }

    public static string NewKey() => Convert.ToBase64String(RandomNumberGenerator.GetBytes(40)).Replace('+', '-').Replace('/', '_').TrimEnd('=');

    public bool IsMaster(string? key)
    {
        lock (_lock)
        {
            return key is not null && Same(key, _file.MasterKey);
        }
    }

    /// <summary>True if <paramref name="key"/> opens the function: its own key, a host-wide function key, or the master key.</summary>
    public bool Opens(string function, string? key)
    {
        lock (_lock)
        {
            return key is not null && Candidates(function).Aggregate(false, (found, candidate) => found | Same(key, candidate));
        }
    }

    /// <summary>A copy of the keys of a scope: <c>functionkeys</c>, <c>systemkeys</c>, or <c>function/{name}</c>.</summary>
    public IReadOnlyDictionary<string, string> List(string scope)
    {
        lock (_lock)
        {
            return new SortedDictionary<string, string>(Scope(scope, create: false), StringComparer.OrdinalIgnoreCase);
        }
    }

    /// <summary>Sets a key; true if it is new.</summary>
    public bool Set(string scope, string name, string value)
    {
        lock (_lock)
        {
            var keys = Scope(scope, create: true);
            var isNew = !keys.ContainsKey(name);
            keys[name] = value;
            Save();
            return isNew;
        }
    }

    /// <summary>Removes a key; false if there is none.</summary>
    public bool Remove(string scope, string name)
    {
        lock (_lock)
        {
            var removed = Scope(scope, create: false).Remove(name);
            if (removed)
            {
                Save();
            }

            return removed;
        }
    }

    public void SetMaster(string value)
    {
        lock (_lock)
        {
            _file.MasterKey = value;
            Save();
        }
    }

    /// <summary>Compares in a time that does not depend on where they differ.</summary>
    private static bool Same(string a, string b) => CryptographicOperations.FixedTimeEquals(SHA256.HashData(Encoding.UTF8.GetBytes(a)), SHA256.HashData(Encoding.UTF8.GetBytes(b)));

    private IEnumerable<string> Candidates(string function) => [_file.MasterKey, .. _file.FunctionKeys.Values, .. Scope("function/" + function, create: false).Values];

    private Dictionary<string, string> Scope(string scope, bool create)
    {
        if (!scope.StartsWith("function/", StringComparison.Ordinal))
        {
            return scope == "systemkeys" ? _file.SystemKeys : _file.FunctionKeys;
        }

        var function = scope["function/".Length..].ToLowerInvariant();
        if (!_file.Functions.TryGetValue(function, out var keys))
        {
            keys = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase);
            if (create)
            {
                _file.Functions[function] = keys;
            }
        }

        return keys;
    }

    private void Save()
    {
        Directory.CreateDirectory(Path.GetDirectoryName(_path)!);
        var options = new FileStreamOptions { Mode = FileMode.Create, Access = FileAccess.Write };
        if (!OperatingSystem.IsWindows())
        {
            options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        }

        using (var stream = new FileStream(_path + ".new", options))
        {
            JsonSerializer.Serialize(stream, _file, KeyJson.Default.KeyFile);
        }

        File.Move(_path + ".new", _path, overwrite: true);
    }
}

/// <summary>The key file; readable by its owner only.</summary>
internal sealed class KeyFile
{
    [JsonRequired]
    public string MasterKey { get; set; } = "";

    [JsonObjectCreationHandling(JsonObjectCreationHandling.Populate)]
    public Dictionary<string, string> FunctionKeys { get; } = new(StringComparer.OrdinalIgnoreCase);

    [JsonObjectCreationHandling(JsonObjectCreationHandling.Populate)]
    public Dictionary<string, string> SystemKeys { get; } = new(StringComparer.OrdinalIgnoreCase);

    [JsonObjectCreationHandling(JsonObjectCreationHandling.Populate)]
    public Dictionary<string, Dictionary<string, string>> Functions { get; } = new(StringComparer.OrdinalIgnoreCase);
}

[JsonSourceGenerationOptions(WriteIndented = true)]
[JsonSerializable(typeof(KeyFile))]
internal sealed partial class KeyJson : JsonSerializerContext;
