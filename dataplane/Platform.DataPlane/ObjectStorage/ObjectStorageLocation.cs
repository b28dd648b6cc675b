namespace Platform.DataPlane.ObjectStorage;

/// <summary>Opens the object storage that one line of text names, so that every program of a platform is told the same thing.</summary>
/// <remarks><code>
/// /srv/objects                                                        a folder
/// s3://bucket                                                         AWS, us-east-1
/// s3://bucket/prefix?region=eu-west-1                                 keys begin with "prefix/"
/// s3://bucket?endpoint=http://127.0.0.1:9000&amp;path-style=true          MinIO, Ceph and others
/// </code>Access keys are never part of it: they come from where the AWS SDK looks (<c>AWS_ACCESS_KEY_ID</c> and <c>AWS_SECRET_ACCESS_KEY</c>, a profile, the instance's role).</remarks>
public static class ObjectStorageLocation
{
    /// <summary>Environment variable that names it for a whole platform.</summary>
    public const string Variable = "PLATFORM_OBJECT_STORAGE";

    private const string Scheme = "s3://";

    /// <summary>The location of <see cref="Variable"/>, else a folder.</summary>
    /// <param name="folder">Used where the variable is not set.</param>
    public static string Resolve(string folder) => Environment.GetEnvironmentVariable(Variable) is { Length: > 0 } location ? location : folder;

    /// <summary>Opens a location; nothing is sent or created yet.</summary>
    /// <exception cref="FormatException">It is not a location: the message says what was found and what was expected.</exception>
    public static IObjectStorage Open(string location, TimeProvider? time = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(location);
        if (location.StartsWith(Scheme, StringComparison.Ordinal))
        {
            return new S3ObjectStorage(ParseS3(location), time);
        }

        return location.Contains("://", StringComparison.Ordinal)
            ? throw new FormatException($"'{location}' is not an object storage; expected a folder, or s3://bucket[/prefix][?endpoint=URL&region=NAME&path-style=true|false].")
            : new DirectoryObjectStorage(location);
    }

    internal static S3ObjectStorageOptions ParseS3(string location)
    {
        var (path, query) = location[Scheme.Length..].Split('?', 2) is [var before, var after] ? (before, after) : (location[Scheme.Length..], "");
        var slash = path.IndexOf('/', StringComparison.Ordinal);
        var bucket = slash < 0 ? path : path[..slash];
        var prefix = slash < 0 ? "" : path[(slash + 1)..].TrimEnd('/');
        if (bucket.Length == 0)
        {
            throw new FormatException($"'{location}' names no bucket; expected s3://bucket[/prefix].");
        }

        var options = new S3ObjectStorageOptions { Bucket = bucket, Prefix = prefix.Length == 0 ? "" : prefix + "/", PathStyle = false };
        foreach (var setting in query.Split('&', StringSplitOptions.RemoveEmptyEntries))
        {
            var (name, value) = setting.Split('=', 2) is [var left, var right] ? (left, Uri.UnescapeDataString(right)) : (setting, "");
            options = name switch
            {
                // Servers that are not AWS seldom have a host name per bucket.
                "endpoint" when Uri.TryCreate(value, UriKind.Absolute, out var endpoint) && endpoint.Scheme is "http" or "https" => options with { Endpoint = new Uri(value), PathStyle = true },
                "region" when value.Length > 0 => options with { Region = value },
                "path-style" when bool.TryParse(value, out var pathStyle) => options with { PathStyle = pathStyle },
                "endpoint" or "region" or "path-style" => throw new FormatException($"'{location}': {name} is '{value}'; expected {(name == "endpoint" ? "an http or https URL" : name == "region" ? "a name" : "true or false")}."),
                _ => throw new FormatException($"'{location}' has an unknown setting '{name}'; known: endpoint, region, path-style."),
            };
        }

        return options;
    }
}
