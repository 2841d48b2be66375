package jdiffusion.model.sites;

import java.util.Locale;
import jdiffusion.model.Branch;

/** Names of tensors in a recording: {@code step.005/cond/block.12.image}. */
final class Key {
    private Key() {
    }

    /**
     * @param branch null for what is the same for all
     * @param images pictures of the run; where there are several, the picture's number comes first
     */
    static String of(Site site, int step, Branch branch, int image, int images) {
        boolean pictured = site.when() == Site.When.STEP || site.when() == Site.When.PICTURE;
        return (pictured && images > 1 ? "image." + image + "/" : "")
                + (site.when() == Site.When.STEP ? String.format(Locale.ROOT, "step.%03d/", step) : "")
                + (branch == null ? "" : branch.label() + "/") + site.name();
    }
}
