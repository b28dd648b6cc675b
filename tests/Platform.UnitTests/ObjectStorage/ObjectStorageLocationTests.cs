using Platform.DataPlane.ObjectStorage;

namespace Platform.UnitTests.ObjectStorage;

public sealed class ObjectStorageLocationTests
{
    [Fact]
    public void Open_Folder_IsADirectory()
    {
        using var folder = new TempFolder();

        Assert.IsType<DirectoryObjectStorage>(ObjectStorageLocation.Open(folder.Path));
    }

    [Theory]
    [InlineData("s3://models", "models", "", null, "us-east-1", false)]
    [InlineData("s3://models/", "models", "", null, "us-east-1", false)]
    [InlineData("s3://models/a/b/", "models", "a/b/", null, "us-east-1", false)]
    [InlineData("s3://models/a?region=eu-west-1", "models", "a/", null, "eu-west-1", false)]
    [InlineData("s3://models?endpoint=http://127.0.0.1:9000", "models", "", "http://127.0.0.1:9000/", "us-east-1", true)]
    [InlineData("s3://models?endpoint=https%3A%2F%2Fceph.example&path-style=false", "models", "", "https://ceph.example/", "us-east-1", false)]
    public void Open_S3_TakesItsSettingsFromTheText(string location, string bucket, string prefix, string? endpoint, string region, bool pathStyle)
    {
        var options = ObjectStorageLocation.ParseS3(location);

        Assert.Equal((bucket, prefix, endpoint, region, pathStyle), (options.Bucket, options.Prefix, options.Endpoint?.ToString(), options.Region, options.PathStyle));
    }

    [Theory]
    [InlineData("s3://", "names no bucket")]
    [InlineData("s3:///prefix", "names no bucket")]
    [InlineData("s3://b?endpoint=localhost", "expected an http or https URL")]
    [InlineData("s3://b?path-style=perhaps", "expected true or false")]
    [InlineData("s3://b?region", "expected a name")]
    [InlineData("s3://b?secret=x", "unknown setting 'secret'")]
    [InlineData("gs://b", "expected a folder, or s3://")]
    public void Open_SomethingElse_SaysWhatWasExpected(string location, string expected)
    {
        var error = Assert.Throws<FormatException>(() => ObjectStorageLocation.Open(location));

        Assert.Contains(expected, error.Message, StringComparison.Ordinal);
        Assert.Contains(location, error.Message, StringComparison.Ordinal);
    }
}
