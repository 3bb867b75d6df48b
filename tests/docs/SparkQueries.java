import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.apache.spark.sql.SparkSession;

/** Runs queries in Spark: `name=path` for each view, then `query.sql` files; writes `query.sql.json` beside each, a row a line. */
public class SparkQueries {
    public static void main(String[] arguments) throws Exception {
        SparkSession spark = SparkSession.builder().master("local[1]").config("spark.ui.enabled", false)
            .config("spark.sql.shuffle.partitions", 1).config("spark.sql.session.timeZone", "UTC")
            .config("spark.sql.jsonGenerator.ignoreNullFields", false).getOrCreate();
        for (String argument : arguments) {
            int at = argument.indexOf('=');
            if (at > 0) {
                spark.read().parquet(argument.substring(at + 1)).createOrReplaceTempView(argument.substring(0, at));
            } else {
                List<String> rows = spark.sql(Files.readString(Path.of(argument))).toJSON().collectAsList();
                Files.write(Path.of(argument + ".json"), rows);
            }
        }
        spark.stop();
    }
}
